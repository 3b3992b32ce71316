/* SPDX-License-Identifier: GPL-2.0 */
/* Reliable connected service, for transport.c. */
#ifndef BERTH_RC_RC_H
#define BERTH_RC_RC_H

#include "../transport.h"

extern const struct berth_transport berth_rc_transport;

#endif
