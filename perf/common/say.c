// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * One line to a person on stderr, from the shim, the launchers and berth-pattern.
 *
 * Each line starts with the name of the program that speaks and leaves in one write, so that
 * lines of two processes that share a terminal do not mix. Nothing is allocated: the shim speaks
 * inside programs whose heap it is just rearranging. errno is preserved. Callable from any
 * thread.
 */
#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *speaker = "berth";

/**
 * say_name - set the name that lines start with
 * @name: kept by reference; set once, before other threads run
 */
void say_name(const char *name)
{
	speaker = name;
}

/**
 * say - write one line
 * @format: printf format, without the newline
 */
void say(const char *format, ...)
{
	int saved = errno;
	char line[512];
	size_t used;
	va_list args;
	ssize_t done;
	int n;

	used = (size_t)snprintf(line, 64, "%s: ", speaker);
	if (used > 63)
		used = 63;
	va_start(args, format);
	errno = saved;
	n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	if (n > 0)
		used = strlen(line);
	line[used++] = '\n';
	do {
		done = write(STDERR_FILENO, line, used);
	} while (done < 0 && errno == EINTR);
	errno = saved;
}
