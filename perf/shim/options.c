// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * The shim's options, read from the environment once, at the first verb that comes to the shim.
 *
 * Afterwards they are only read, but for @bar_offset, which advances under the lock of mr.c. A
 * value that makes no sense does not end the program (which may be a shell that merely inherits
 * the variables, and hears nothing as it calls no verb): it is told in one line then, and
 * registrations fail.
 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>

#include "../common/pattern.h"
#include "../common/say.h"

struct shim_options shim_options;

static bool number(const char *variable, uint64_t otherwise, uint64_t *value)
{
	const char *text = getenv(variable);

	*value = otherwise;
	if (!text || !*text)
		return false;
	if (!berth_pattern_parse_number(text, value))
		return true;
	say("%s=%s: not a number", variable, text);
	shim_options.broken = true;
	return false;
}

static const char *text_or_null(const char *variable)
{
	const char *text = getenv(variable);

	return text && *text ? text : NULL;
}

/**
 * shim_options_load - read the environment
 *
 * Context: under pthread_once(); the only writer of most of @shim_options.
 */
void shim_options_load(void)
{
	struct shim_options *o = &shim_options;
	const char *exporter = text_or_null("BERTH_DMABUF");

	if (!exporter)
		return;
	o->active = true;
	if (exporter_parse(exporter, &o->exporter))
		o->broken = true;
	o->verbose = text_or_null("BERTH_DMABUF_VERBOSE");
	o->fill = number("BERTH_DMABUF_PATTERN", 0, &o->seed);
	number("BERTH_DMABUF_MIN", 4096, &o->smallest);
	number("BERTH_DMABUF_BAR_OFFSET", EXPORTER_ANYWHERE, &o->bar_offset);
	o->log = text_or_null("BERTH_DMABUF_LOG");
	o->dump = text_or_null("BERTH_DMABUF_DUMP");
}
