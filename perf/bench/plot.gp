# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# A line for each peer over the size of a message. Variables: data (report.py; its first heading is the unit), image.
set terminal svg size 800,450 background "white" noenhanced
set output image
set datafile separator "\t"
set datafile missing "?"
set logscale xy
set xlabel "bytes of a message"
unit = system("head -n 1 '".data."' | cut -f 1")
set ylabel unit
peers = int(system("head -n 1 '".data."' | awk -F '\t' '{ print NF }'"))
set xtics ("8" 8, "512" 512, "4k" 4096, "64k" 65536, "1m" 1048576, "8m" 8388608)
set key outside right
set grid
plot for [i = 2:peers] data using 1:i with linespoints title columnheader(i)
