/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/* Frames that carry RoCEv2 packets, put onto one of the two netdevs by a packet socket. */
#ifndef FUZZ_FRAME_H
#define FUZZ_FRAME_H

#include "vtest.h"

#define FRAME_MAX	66000
#define FRAME_GROUP	0x44	/* see ud_group() */

/* From one end of the link to the other. */
struct frame_road {
	int fd;			/* packet socket at the sending netdev, with a virtio header */
	uint8_t smac[6], dmac[6];
	union ibv_gid sgid[2], dgid[2];	/* [0]: IPv4, [1]: IPv6 */
	union ibv_gid group[2];		/* where frame_opts.group goes */
};

enum frame_icrc { ICRC_GOOD, ICRC_BAD, ICRC_NONE };

/* All that is outside of the transport headers. Zero is a proper packet over IPv4. */
struct frame_opts {
	bool v6;
	enum frame_icrc icrc;
	bool group;		/* to the group, not to the device */
	bool foreign;		/* source address of nobody */
	bool udp_sum, bad_udp_sum;
	bool bad_ip_sum;
	uint8_t options;	/* 32-bit words of IPv4 options */
	uint16_t frag;		/* cut the datagram: bytes of the first fragment, multiple of 8 */
	bool swap_frags;	/* the last one first */
	bool drop_frag;		/* and only one of them */
	int udp_len_off;	/* added to the UDP length */
	int ip_len_off;		/* added to the IP length */
	int cut;		/* bytes missing at the end of the frame */
	uint16_t dport;		/* 0: RoCEv2's */
	uint16_t sport;
	uint16_t id;
	uint8_t ttl;		/* 0: 64 */
	uint16_t gso;		/* bytes of a segment behind UDP: the payload is several packets */
};

/** road_open() - @side 0: towards vt_cfg.dev, 1: towards vt_cfg.peer. */
void road_open(struct frame_road *road, int side, struct vt_dev *da, struct vt_dev *db);

/** frame_send() - Send @len bytes (BTH, headers, payload, pad; an ICRC is added to each segment). */
void frame_send(struct frame_road *road, const struct frame_opts *o, const uint8_t *th, size_t len);

/** frame_seen() - Whether something that came in at the sending netdev holds those bytes. */
bool frame_seen(struct frame_road *road, const void *bytes, size_t len);

#endif
