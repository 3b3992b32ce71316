/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
#ifndef BERTH_EXAMPLES_HTTP_H
#define BERTH_EXAMPLES_HTTP_H

#include <stdbool.h>
#include <stdint.h>

/* A URL, taken apart. */
struct http_url {
	char host[256];
	char port[6];
	const char *path;	/* in the text that was parsed, "" for the root */
	bool literal;		/* host is an IPv6 address, written in brackets */
};

int http_parse_url(const char *text, struct http_url *url);
int http_get(const struct http_url *url, bool *has_length, uint64_t *length);

#endif
