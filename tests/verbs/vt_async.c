// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/* Asynchronous events: every wait has a deadline, and every event is acknowledged at once. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "vtest.h"

bool vt_async_get(struct vt_dev *dev, struct ibv_async_event *e, int ms)
{
	struct pollfd p = { .fd = dev->ctx->async_fd, .events = POLLIN };
	int n = poll(&p, 1, ms);

	CHECK(n >= 0, "poll: %s", strerror(errno));
	if (!n)
		return false;
	CHECK(!ibv_get_async_event(dev->ctx, e), "ibv_get_async_event: %s", strerror(errno));
	ibv_ack_async_event(e);
	return true;
}

void vt_async_expect(struct vt_dev *dev, enum ibv_event_type type, const void *element,
		     const char *what)
{
	struct ibv_async_event e = { };

	CHECK(vt_async_get(dev, &e, 5000 * (int)vt_cfg.slow), "%s: no event, expected '%s'", what,
	      ibv_event_type_str(type));
	CHECK(e.event_type == type, "%s: event '%s', expected '%s'", what,
	      ibv_event_type_str(e.event_type), ibv_event_type_str(type));
	CHECK(!element || e.element.qp == element, "%s: event of another object", what);
}

void vt_async_none(struct vt_dev *dev, int ms, const char *what)
{
	struct ibv_async_event e = { };

	CHECK(!vt_async_get(dev, &e, ms), "%s: event '%s' came", what,
	      ibv_event_type_str(e.event_type));
}
