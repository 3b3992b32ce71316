#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# berth_fetch without a device: what a wrong use says, and what it makes of responses.
set -euo pipefail
tool=$1
dir=$(mktemp -d)
server=''
trap '[[ -z $server ]] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
failed=0

# expect NAME STATUS PATTERN ARGUMENTS…: of the output, which must be one line unless PATTERN is for help.
expect() {
	local name=$1 want=$2 pattern=$3 status=0
	shift 3
	"$tool" "$@" >"$dir/out" 2>&1 || status=$?
	if [[ $status -eq $want ]] && grep -Eq -- "$pattern" "$dir/out" &&
	   [[ $name == help || $(wc -l <"$dir/out") -eq 1 ]]; then
		echo "PASS $name"
	else
		echo "FAIL $name: status $status, not $want: $(cat "$dir/out")"
		failed=1
	fi
}

expect help 0 '^usage: berth_fetch' --help
expect no_url 2 'give one URL'
expect two_urls 2 'give one URL' http://a/ http://b/
expect https 2 'not an http URL' https://a/
expect no_host 2 'no host and port' http:///x
expect bad_port 2 'no host and port' http://a:8x/
expect open_bracket 2 'no host and port' 'http://[::1/'
expect blank 2 'blank' 'http://a/b c'
expect exporter 2 "unknown dma-buf exporter 'nonsense'" -m nonsense http://a/
expect room 2 'a number of bytes' -s 1x http://a/
expect nobody_listens 1 'cannot connect' http://127.0.0.1:1/

if ! command -v python3 >/dev/null; then
	echo "SKIP responses: no python3"
	exit "$failed"
fi
cat >"$dir/server.py" <<'PYTHON'
import socket, sys, time
responses = {
    b"/chunked": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"],
    b"/missing": [b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx"],
    b"/moved": [b"HTTP/1.1 302 Found\r\nlocation: http://b/\r\n\r\n"],
    b"/empty": [b"HTTP/1.1 200 OK\r\nContent-", b"Length:0\r", b"\n\r", b"\n"],
    b"/bad-length": [b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
    b"/long": [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000],
    b"/short": [b"HTTP/1.1 200 OK\r\n"],
    b"/ssh": [b"SSH-2.0\r\n\r\n"],
    b"/body": [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"],
}
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    c = s.accept()[0]
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += c.recv(4096)
    for part in responses[request.split(b" ")[1]]:
        c.sendall(part)
        time.sleep(0.05)
    c.close()
PYTHON
python3 "$dir/server.py" >"$dir/port" &
server=$!
for ((i = 0; i < 100; i++)); do
	[[ ! -s $dir/port ]] || break
	sleep 0.1
done
url=http://127.0.0.1:$(<"$dir/port")
expect chunked 1 "transfer encoding 'chunked'" "$url/chunked"
expect missing 1 "404 Not Found'" "$url/missing"
expect moved 1 'fetch http://b/ instead' "$url/moved"
expect empty 0 '^0 bytes$' -o "$dir/file" "$url/empty"
[[ -f $dir/file && ! -s $dir/file ]] || { echo "FAIL empty: no empty file"; failed=1; }
expect bad_length 1 "'-1' is no length" "$url/bad-length"
expect long_header 1 'longer than 16 KiB' "$url/long"
expect short_header 1 'the connection was closed' "$url/short"
expect not_http 1 'does not speak HTTP' "$url/ssh"
expect no_device 1 'device nonsense: not there' -d nonsense "$url/body"
exit "$failed"
