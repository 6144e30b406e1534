#!/usr/bin/env python3
"""What GBK text becomes when an opening octet is lost and the rest is cut into pairs anew: made-up sentences, Python's codec."""
import pathlib

sentences = ["（一）检查经营场所并记录", "（二）责令停止违法行为", "（三）没收违法所得", "（四）罚款五千元", "（五）吊销许可证件"]
rows = ["sound\tdamaged"]
for sentence in sentences:
    octets = sentence.encode("gbk")
    # The first octet was taken for a character of its own, shown as '?'.
    damaged = "?" + octets[1:].decode("gbk", errors="replace").replace("\ufffd", "")
    rows.append(f"{sentence}\t{damaged}")
pathlib.Path(__file__).with_name("damage.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
