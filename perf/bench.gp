# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Bars: each row and peer as a multiple of rxe in the same row. Variables: data, image.
set terminal svg size 900,400 background "white"
set output image
set style fill solid 0.7
set boxwidth 0.7
set yrange [0:*]
set ylabel "times rxe"
set grid ytics
unset key
plot data using 0:2:xtic(1) with boxes, "" using 0:2:(sprintf("%.1f", $2)) with labels offset 0,0.7
