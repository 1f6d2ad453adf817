-- What hides persons in a copy. SPDX-License-Identifier: Apache-2.0
update users set email = 'user' || id || '@example.org', name = 'User ' || id;
