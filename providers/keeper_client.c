/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/keeper_client.h"
