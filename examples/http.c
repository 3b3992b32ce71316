// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * As much of HTTP/1.1 as a download needs, over a plain socket: the request, and the header of the
 * response. Not a byte of the body is read, so that it is all there for who takes the socket over.
 * Every failure says one line.
 */
#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "say.h"

#define HEADER_MAX	16384

/* Copies [from, to) as a string; what does not fit or is empty is no part of a URL. */
static bool copy_part(char *dst, size_t size, const char *from, const char *to)
{
	if (from >= to || (size_t)(to - from) >= size)
		return false;
	memcpy(dst, from, to - from);
	dst[to - from] = 0;
	return true;
}

static bool parse_authority(const char *at, const char *end, struct http_url *url)
{
	const char *host_end;

	url->literal = *at == '[';
	if (url->literal) {
		at++;
		host_end = memchr(at, ']', end - at);
		if (!host_end || !copy_part(url->host, sizeof(url->host), at, host_end))
			return false;
		host_end++;
	} else {
		host_end = memchr(at, ':', end - at);
		if (!host_end)
			host_end = end;
		if (!copy_part(url->host, sizeof(url->host), at, host_end))
			return false;
	}
	if (host_end == end) {
		strcpy(url->port, "80");
		return true;
	}
	return *host_end == ':' && copy_part(url->port, sizeof(url->port), host_end + 1, end) &&
	       strspn(url->port, "0123456789") == strlen(url->port);
}

/**
 * http_parse_url - take a URL apart
 * @text: http://HOST[:PORT][/PATH]; kept by reference
 * @url: out
 *
 * Return: 0, or -EINVAL after one line.
 */
int http_parse_url(const char *text, struct http_url *url)
{
	static const char scheme[] = "http://";
	const char *at = text + strlen(scheme);
	const char *p;

	if (strncasecmp(text, scheme, strlen(scheme))) {
		say("%s: not an http URL: give http://HOST[:PORT]/PATH", text);
		return -EINVAL;
	}
	/* Anything else would end the line of the request, or would have to be taken out of it. */
	for (p = text; *p; p++) {
		if (*p <= ' ' || *p == 127 || *p == '#' || *p == '@') {
			say("%s: blank, '#' or '@' in the URL: write them as %%20, %%23 and %%40",
			    text);
			return -EINVAL;
		}
	}
	url->path = at + strcspn(at, "/?");
	if (!parse_authority(at, url->path, url)) {
		say("%s: no host and port can be read from it: give http://HOST[:PORT]/PATH", text);
		return -EINVAL;
	}
	return 0;
}

static int connect_host(const struct http_url *url)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	int fd = -1;
	int err;

	err = getaddrinfo(url->host, url->port, &hints, &list);
	if (err) {
		say("%s port %s: %s", url->host, url->port, gai_strerror(err));
		return -EHOSTUNREACH;
	}
	err = -EADDRNOTAVAIL;
	for (ai = list; ai; ai = ai->ai_next) {
		fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, ai->ai_protocol);
		if (fd >= 0 && !connect(fd, ai->ai_addr, ai->ai_addrlen))
			break;
		err = -errno;
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	if (fd >= 0)
		return fd;
	say("%s port %s: cannot connect: %s", url->host, url->port, strerror(-err));
	return err;
}

static int send_request(int fd, const struct http_url *url)
{
	const char *open = url->literal ? "[" : "", *close = url->literal ? "]" : "";
	char request[4096];
	size_t done, size;
	ssize_t n;

	n = snprintf(request, sizeof(request),
		     "GET %s%s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: berth_fetch\r\n"
		     "Accept-Encoding: identity\r\nConnection: close\r\n\r\n",
		     *url->path == '/' ? "" : "/", url->path, open, url->host, close, url->port);
	if (n >= (ssize_t)sizeof(request)) {
		say("%s: the path is too long", url->host);
		return -ENAMETOOLONG;
	}
	size = n;
	for (done = 0; done < size; done += n) {
		n = send(fd, request + done, size - done, MSG_NOSIGNAL);
		if (n < 0) {
			say("%s: the request cannot be sent: %s", url->host, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

/*
 * Looks at what is there, and reads what of it belongs to the header: so the next look waits for
 * more. Leaves the header in @header as a string.
 */
static int read_header(int fd, const struct http_url *url, char *header)
{
	size_t used = 0;

	for (;;) {
		ssize_t n = recv(fd, header + used, HEADER_MAX - 1 - used, MSG_PEEK);
		char *end;

		if (n <= 0) {
			say("%s: no response: %s", url->host,
			    n ? strerror(errno) : used == HEADER_MAX - 1 ?
			    "its header is longer than 16 KiB" : "the connection was closed");
			return -EPROTO;
		}
		header[used + n] = 0;
		end = strstr(header, "\r\n\r\n");
		if (end)
			n = end + 4 - (header + used);
		n = recv(fd, header + used, n, 0);
		if (n <= 0) {
			say("%s: the response cannot be read: %s", url->host, strerror(errno));
			return -EIO;
		}
		used += n;
		header[used] = 0;
		if (strstr(header, "\r\n\r\n"))
			return 0;
	}
}

/* The value of a field, which ends with its line; NULL: there is none. */
static const char *find_field(const char *header, const char *name)
{
	const char *line = header;

	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (strncasecmp(line, name, strlen(name)) || line[strlen(name)] != ':')
			continue;
		line += strlen(name) + 1;
		return line + strspn(line, " \t");
	}
	return NULL;
}

/* What is to come, by the header. */
static int parse_header(const struct http_url *url, const char *header, bool *has_length,
			uint64_t *length)
{
	int line = (int)strcspn(header, "\r");
	const char *value, *coding;
	unsigned int status;
	int used = 0;

	if (sscanf(header, "HTTP/1.%*1[01] %3u", &status) != 1) {
		say("%s port %s: what answers there does not speak HTTP/1.1", url->host, url->port);
		return -EPROTO;
	}
	if (status != 200) {
		value = find_field(header, "Location");
		if (value)
			say("%s: it answers '%.*s': fetch %.*s instead", url->host, line, header,
			    (int)strcspn(value, "\r"), value);
		else
			say("%s: it answers '%.*s'", url->host, line, header);
		return -ENOENT;
	}
	coding = find_field(header, "Transfer-Encoding");
	if (coding) {
		say("%s: the body comes in transfer encoding '%.*s', which would land with it: ask a server that sends it as it is",
		    url->host, (int)strcspn(coding, "\r"), coding);
		return -EOPNOTSUPP;
	}
	value = find_field(header, "Content-Length");
	*has_length = value;
	*length = 0;
	if (value && (*value < '0' || *value > '9' ||
		      sscanf(value, "%15" SCNu64 "%n", length, &used) != 1 ||
		      value[used] != '\r')) {
		say("%s: '%.*s' is no length", url->host, (int)strcspn(value, "\r"), value);
		return -EPROTO;
	}
	return 0;
}

/**
 * http_get - ask for a file and read the header of the response
 * @url: of the file
 * @has_length: out; whether the header tells the length of the body, else the stream's end does
 * @length: out; that length
 *
 * Return: the socket, whose next byte is the first of the body; or a negative errno after one line.
 */
int http_get(const struct http_url *url, bool *has_length, uint64_t *length)
{
	char header[HEADER_MAX];
	int fd, err;

	fd = connect_host(url);
	if (fd < 0)
		return fd;
	err = send_request(fd, url);
	if (!err)
		err = read_header(fd, url, header);
	if (!err)
		err = parse_header(url, header, has_length, length);
	if (!err)
		return fd;
	close(fd);
	return err;
}
