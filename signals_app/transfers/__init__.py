"""Files in and out: imports of lists with an answer for every row, exports of lists that expire."""
