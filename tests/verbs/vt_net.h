/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Plain TCP sockets in the network namespaces of the VM, for tests of TCP-offload QPs. */
#ifndef VT_NET_H
#define VT_NET_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/** vt_net_socket() - A TCP socket in a network namespace, bound to an address of it and a free port. */
int vt_net_socket(const char *netns, const char *address, struct sockaddr_in6 *bound);

/** vt_net_pair() - Two connected TCP sockets, from an address in a namespace to one in another. */
void vt_net_pair(const char *netns, const char *address, const char *peer_netns,
		 const char *peer_address, int sock[2]);

/** vt_net_write() - Send @n bytes of a pattern; fails the case when the peer has gone. */
void vt_net_write(int sock, size_t n, uint64_t seed, uint64_t pos, size_t piece);

/** vt_net_expect() - Receive @n bytes, which have to be those of a pattern. */
void vt_net_expect(int sock, size_t n, uint64_t seed, uint64_t pos, const char *what);

/** vt_net_expect_end() - The peer has nothing more to say: the next thing is the end of the stream. */
void vt_net_expect_end(int sock, const char *what);

#endif
