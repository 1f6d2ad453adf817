// case: a test in the browser; one that fails shows what was there to be seen. SPDX-License-Identifier: Apache-2.0
//
// Whoever still visits when it ends is sent home, so that no test goes on inside of the next one.
import { test as nodeTest } from 'node:test';
import { leave, showPages } from './browser.mjs';
import { showWorlds } from './world.mjs';

export function test(name, act) {
    nodeTest(name, async () => {
        try {
            await act();
        } catch (error) {
            console.log(`=== ${name}: ${error.stack}\n${await showPages()}\n${await showWorlds()}`);
            throw error;
        } finally {
            await leave();
        }
    });
}
