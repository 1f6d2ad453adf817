-- What hides persons in a copy. SPDX-License-Identifier: Apache-2.0
update customers set email = 'customer' || id || '@example.org';
