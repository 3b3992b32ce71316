#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Puts --use_dmabuf into a source tree of perftest that has memory backends (src/memory.h): copies the backend to
# src/berth and adds lines beside those of the backend for --mmap. A tree in which one of these is not found exactly
# once, or that has the option already, is refused unchanged.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
dir=${1:-}

die() { echo "install-into.sh: $*" >&2; exit 1; }

[[ -n $dir && $# -eq 1 && $dir != -* ]] || { echo "usage: ${0##*/} DIRECTORY-OF-PERFTEST" >&2; exit 2; }
make=$dir/Makefile.am params=$dir/src/perftest_parameters
for f in "$make" "$params.c" "$params.h" "$dir/src/memory.h"; do
	[[ -f $f ]] || die "$f is missing: not a perftest with memory backends (they came with 23.07)"
done
! grep -q 'use_dmabuf"' "$params.c" || die "$params.c has an option use_dmabuf already"

# edit FILE BASIC-REGEX SED-COMMAND: the expression has to match one line, or the tree is another.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$make" "$params.c" "$params.h" "$work"
edit() {
	local n
	n=$(grep -c -- "$2" "$work/$1") || true
	[[ $n -eq 1 ]] || die "$1 has $n lines that match '$2', not 1: this perftest is unknown, see README.md beside this script"
	sed -i "/$2/$3" "$work/$1"
}

edit Makefile.am '^libperftest_a_SOURCES = .*src\/mmap_memory\.c' \
	's#src/mmap_memory\.c#& src/berth/dmabuf_memory.c src/berth/exporter.c src/berth/say.c#'
edit Makefile.am '^noinst_HEADERS = .*src\/mmap_memory\.h' \
	's#src/mmap_memory\.h#& src/berth/dmabuf_memory.h src/berth/exporter.h src/berth/say.h src/berth/rdma/berth-exporter.h#'
grep -q '^AM_CPPFLAGS' "$work/Makefile.am" && die "Makefile.am sets AM_CPPFLAGS: this perftest is unknown, see README.md beside this script"
# shellcheck disable=SC2016
edit Makefile.am '^AUTOMAKE_OPTIONS' 'a AM_CPPFLAGS = -I$(top_srcdir)/src -I$(top_srcdir)/src/berth'

edit perftest_parameters.h '^[[:space:]]MEMORY_MMAP,' 'a \\tMEMORY_DMABUF,'
edit perftest_parameters.h '^[[:space:]]unsigned long[[:space:]]*mmap_offset;' 'a \\tchar				*dmabuf_exporter;'

edit perftest_parameters.c '^#include "mmap_memory\.h"' 'a #include "berth/dmabuf_memory.h"'
edit perftest_parameters.c 'printf(" *--mmap=file ");' \
	'i \\t\tprintf("      --use_dmabuf[=heap|udmabuf|bar|PATH] ");\n\t\tprintf(" Use a dma-buf of this exporter as the buffer (default: heap)\\n");'
edit perftest_parameters.c 'static int mmap_file_flag = 0;' 'a \\tstatic int use_dmabuf_flag = 0;'
edit perftest_parameters.c '{ \.name = "mmap",' \
	'i \\t\t\t{ .name = "use_dmabuf",		.has_arg = 2, .flag = \&use_dmabuf_flag, .val = 1},'
edit perftest_parameters.c '(mmap_file_flag || ' 's/(mmap_file_flag || /(use_dmabuf_flag || &/; s/|| (mmap_file_flag/|| mmap_file_flag/'
edit perftest_parameters.c '^[[:space:]]*if (mmap_file_flag) {' \
	'i \\t\t\t\tif (use_dmabuf_flag) {\n\t\t\t\t\tif (dmabuf_memory_option(user_param, optarg))\n\t\t\t\t\t\treturn FAILURE;\n\t\t\t\t\tuse_dmabuf_flag = 0;\n\t\t\t\t}'

mkdir -p "$dir/src/berth/rdma"
cp "$here"/dmabuf_memory.[ch] "$here"/../common/exporter.[ch] "$here"/../common/say.[ch] "$dir/src/berth/"
cp "$here/../../include/uapi/rdma/berth-exporter.h" "$dir/src/berth/rdma/"
cp "$work/Makefile.am" "$dir/"
cp "$work/perftest_parameters.c" "$work/perftest_parameters.h" "$dir/src/"
echo "--use_dmabuf is in $dir; build it as usual: ./autogen.sh && ./configure && make"
