// SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
/*
 * Frames with everything laid out by hand: Ethernet, IP, UDP, and the ICRC (IBTA annex A17: CRC-32
 * over 8 bytes of ones and the packet with its variant fields replaced by ones). Shares no code with
 * the kernel, so that the two check each other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz_frame.h"
#include "vt_ud.h"

#define ETH	14
#define UDP	8
#define ROCE	4791

struct end {
	const char *netns, *netdev;
};

static const struct end ends[2] = { { "/run/netns/a", "va" }, { "/run/netns/b", "vb" } };

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t crc32_update(uint32_t crc, const uint8_t *p, size_t len)
{
	static uint32_t table[256];

	if (!table[1])
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t c = i;

			for (int k = 0; k < 8; k++)
				c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
			table[i] = c;
		}
	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return crc;
}

static uint16_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += (uint32_t)p[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* A socket in a namespace, and the address of the netdev there. */
static int socket_in(const struct end *end, uint8_t mac[6])
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(end->netns, O_RDONLY | O_CLOEXEC);
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct ifreq ifr = { };
	int one = 1, fd;

	CHECK(home >= 0 && there >= 0, "%s: %s", end->netns, strerror(errno));
	CHECK(!setns(there, CLONE_NEWNET), "setns to %s: %s", end->netns, strerror(errno));
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	CHECK(fd >= 0, "packet socket: %s", strerror(errno));
	ll.sll_ifindex = (int)if_nametoindex(end->netdev);
	CHECK(!bind(fd, (struct sockaddr *)&ll, sizeof(ll)), "bind to %s: %s", end->netdev,
	      strerror(errno));
	CHECK(!setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), "PACKET_VNET_HDR: %s",
	      strerror(errno));
	strcpy(ifr.ifr_name, end->netdev);
	CHECK(!ioctl(fd, SIOCGIFHWADDR, &ifr), "address of %s: %s", end->netdev, strerror(errno));
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	CHECK(!setns(home, CLONE_NEWNET), "setns back: %s", strerror(errno));
	close(home);
	close(there);
	return fd;
}

void road_open(struct frame_road *road, int side, struct vt_dev *da, struct vt_dev *db)
{
	struct vt_dev *to = side ? db : da, *from = side ? da : db;

	close(socket_in(&ends[side], road->dmac));
	road->fd = socket_in(&ends[!side], road->smac);
	for (int v6 = 0; v6 < 2; v6++) {
		CHECK(vt_find_gid(to, v6, &road->dgid[v6]) >= 0 &&
		      vt_find_gid(from, v6, &road->sgid[v6]) >= 0, "a device has no IPv%d GID",
		      v6 ? 6 : 4);
		road->group[v6] = ud_group(v6, FRAME_GROUP);
	}
}

static const union ibv_gid *destination(const struct frame_road *road, const struct frame_opts *o)
{
	return o->group ? &road->group[o->v6] : &road->dgid[o->v6];
}

static void put_dmac(uint8_t *p, const struct frame_road *road, const struct frame_opts *o)
{
	static const uint8_t v4[3] = { 0x01, 0x00, 0x5e }, v6[2] = { 0x33, 0x33 };
	const uint8_t *group = road->group[o->v6].raw;

	memcpy(p, road->dmac, 6);
	if (!o->group)
		return;
	memcpy(p + 2, group + 12, 4);
	if (o->v6) {
		memcpy(p, v6, sizeof(v6));
	} else {
		memcpy(p, v4, sizeof(v4));
		p[3] = group[13] & 0x7f;
	}
}

static size_t put_ipv4(uint8_t *p, const struct frame_road *road, const struct frame_opts *o,
		       size_t udp_len)
{
	size_t ihl = 20 + o->options * 4U;

	memset(p, 0, ihl);
	p[0] = (uint8_t)(0x40 | ihl / 4);
	put16(p + 2, (uint32_t)(ihl + udp_len) + (uint32_t)o->ip_len_off);
	put16(p + 4, o->id);
	put16(p + 6, o->frag ? 0 : 0x4000);
	p[8] = o->ttl ? o->ttl : 64;
	p[9] = IPPROTO_UDP;
	memcpy(p + 12, road->sgid[0].raw + 12, 4);
	memcpy(p + 16, destination(road, o)->raw + 12, 4);
	if (o->foreign)
		p[15] ^= 0x40;
	memset(p + 20, 1, ihl - 20);	/* no operation */
	put16(p + 10, (uint16_t)~sum16(p, ihl, 0) ^ (o->bad_ip_sum ? 0x1111 : 0));
	return ihl;
}

static size_t put_ipv6(uint8_t *p, const struct frame_road *road, const struct frame_opts *o,
		       size_t udp_len)
{
	memset(p, 0, 40);
	p[0] = 0x60;
	put16(p + 4, (uint32_t)udp_len + (uint32_t)o->ip_len_off);
	p[6] = IPPROTO_UDP;
	p[7] = o->ttl ? o->ttl : 64;
	memcpy(p + 8, road->sgid[1].raw, 16);
	memcpy(p + 24, destination(road, o), 16);
	if (o->foreign)
		p[23] ^= 0x40;
	return 40;
}

/* The ICRC of the segment @index, which lies at @th, behind the headers at @ip. */
static uint32_t icrc(const uint8_t *ip, size_t ihl, uint32_t index, const uint8_t *th, size_t len)
{
	uint8_t head[8 + 60 + UDP + 12];
	uint8_t *p = head + 8;
	size_t bth = len < 12 ? len : 12;
	uint32_t crc;

	memset(head, 0xff, 8);
	memcpy(p, ip, ihl + UDP);
	if (*ip >> 4 == 4) {
		p[1] = 0xff;
		put16(p + 2, (uint32_t)(ihl + UDP + len + 4));
		put16(p + 4, (((uint32_t)ip[4] << 8 | ip[5]) + index) & 0xffff);
		p[8] = 0xff;
		p[10] = 0xff;
		p[11] = 0xff;
	} else {
		p[0] = 0x6f;
		memset(p + 1, 0xff, 3);
		put16(p + 4, (uint32_t)(UDP + len + 4));
		p[7] = 0xff;
	}
	put16(p + ihl + 4, (uint32_t)(UDP + len + 4));
	p[ihl + 6] = 0xff;
	p[ihl + 7] = 0xff;
	memcpy(p + ihl + UDP, th, bth);
	if (bth > 4)
		p[ihl + UDP + 4] = 0xff;
	crc = crc32_update(~0U, head, 8 + ihl + UDP + bth);
	return ~crc32_update(crc, th + bth, len - bth);
}

/* Lays the payload out with an ICRC behind each segment. Returns the bytes behind the UDP header. */
static size_t put_payload(uint8_t *out, const uint8_t *ip, size_t ihl, const struct frame_opts *o,
			  const uint8_t *th, size_t len)
{
	size_t seg = o->gso ? o->gso - 4U : len, used = 0;

	for (uint32_t i = 0; used < FRAME_MAX && (len || !i); i++) {
		size_t n = len < seg ? len : seg;
		uint32_t crc = icrc(ip, ihl, i, th, n);

		memcpy(out + used, th, n);
		used += n;
		if (o->icrc == ICRC_BAD)
			crc ^= 1U << (i & 31);
		for (int k = 0; k < 4 && o->icrc != ICRC_NONE; k++)
			out[used++] = (uint8_t)(crc >> (8 * k));
		th += n;
		len -= n;
	}
	return used;
}

static void put_udp_sum(uint8_t *udp, const uint8_t *ip, size_t udp_len, bool v6)
{
	uint32_t pseudo = IPPROTO_UDP + (uint32_t)udp_len;

	pseudo += v6 ? sum16(ip + 8, 32, 0) : sum16(ip + 12, 8, 0);
	put16(udp + 6, (uint16_t)~sum16(udp, udp_len, pseudo));
}

static void raw_send(struct frame_road *road, const struct virtio_net_hdr *vnet, const uint8_t *frame,
		     size_t len)
{
	struct iovec iov[2] = { { (void *)vnet, sizeof(*vnet) }, { (void *)frame, len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	/* A frame over the MTU or a length that makes no sense is refused here: nothing lost. */
	if (sendmsg(road->fd, &msg, 0) < 0)
		CHECK(errno == EMSGSIZE || errno == EINVAL || errno == ENOBUFS || errno == ENETDOWN ||
		      errno == ENOMEM, "sending %zu bytes: %s", len, strerror(errno));
}

/* IPv4 only: two fragments of the datagram. */
static void send_frags(struct frame_road *road, const struct frame_opts *o, uint8_t *frame,
		       size_t ihl, size_t data)
{
	static uint8_t part[2][FRAME_MAX + 100];
	struct virtio_net_hdr vnet = { };
	size_t cut = o->frag & ~7U, len[2];

	if (!cut || cut >= data)
		cut = 8;
	for (int i = 0; i < 2; i++) {
		size_t from = i ? cut : 0, n = i ? data - cut : cut;
		uint8_t *ip = part[i] + ETH;

		memcpy(part[i], frame, ETH + ihl);
		memcpy(ip + ihl, frame + ETH + ihl + from, n);
		put16(ip + 2, (uint32_t)(ihl + n));
		put16(ip + 6, (i ? 0 : 0x2000) | (uint32_t)(from / 8));
		put16(ip + 10, 0);
		put16(ip + 10, (uint16_t)~sum16(ip, ihl, 0));
		len[i] = ETH + ihl + n;
	}
	raw_send(road, &vnet, part[o->swap_frags], len[o->swap_frags]);
	if (!o->drop_frag)
		raw_send(road, &vnet, part[!o->swap_frags], len[!o->swap_frags]);
}

void frame_send(struct frame_road *road, const struct frame_opts *o, const uint8_t *th, size_t len)
{
	static uint8_t frame[FRAME_MAX * 2];
	struct virtio_net_hdr vnet = { };
	uint8_t *ip = frame + ETH, *udp;
	size_t ihl = o->v6 ? 40 : 20 + o->options * 4U;
	size_t segs = o->gso ? (len + o->gso - 5) / (o->gso - 4U) : 1;
	size_t udp_len = UDP + len + (o->icrc == ICRC_NONE ? 0 : 4 * (segs ? segs : 1)), total;

	put_dmac(frame, road, o);
	memcpy(frame + 6, road->smac, 6);
	put16(frame + 12, o->v6 ? ETH_P_IPV6 : ETH_P_IP);
	if (o->v6)
		put_ipv6(ip, road, o, udp_len);
	else
		put_ipv4(ip, road, o, udp_len);
	udp = ip + ihl;
	put16(udp, o->sport ? o->sport : 0xc123);
	put16(udp + 2, o->dport ? o->dport : ROCE);
	put16(udp + 4, (uint32_t)udp_len + (uint32_t)o->udp_len_off);
	put16(udp + 6, 0);
	put_payload(udp + UDP, ip, ihl, o, th, len);
	total = ETH + ihl + udp_len;
	if (o->gso) {
		vnet = (struct virtio_net_hdr){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = 5 /* UDP_L4 */,
			.hdr_len = (uint16_t)(ETH + ihl + UDP), .gso_size = o->gso,
			.csum_start = (uint16_t)(ETH + ihl), .csum_offset = 6,
		};
	} else if (o->udp_sum || o->v6) {
		put_udp_sum(udp, ip, udp_len, o->v6);
		if (o->bad_udp_sum)
			udp[6] ^= 0x55;
	}
	if (o->frag && !o->v6 && !o->gso && udp_len > 16)
		send_frags(road, o, frame, ihl, udp_len);
	else if (total > (size_t)o->cut)
		raw_send(road, &vnet, frame, total - (size_t)o->cut);
}

bool frame_seen(struct frame_road *road, const void *bytes, size_t len)
{
	static uint8_t in[FRAME_MAX + 200];

	for (;;) {
		ssize_t n = recv(road->fd, in, sizeof(in), MSG_DONTWAIT);

		if (n < 0)
			return false;
		if (memmem(in, (size_t)n, bytes, len))
			return true;
	}
}
