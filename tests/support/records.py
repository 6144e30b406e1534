"""Made-up records in the form a department hands in: division 219900, which is assigned to nobody."""
import csv
import datetime
import io

# GB 32100: alphabet and weights 3^(i-1) mod 31; GB 11714 for the embedded organisation code.
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ORGANISATION = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def credit_code(serial, department="9", kind="1", division="219900"):
    """A made-up unified social credit code with both check digits right."""
    body = ""
    value = serial
    for _ in range(8):
        body = "0123456789"[value % 10] + body
        value //= 10
    rest = 11 - sum(ORGANISATION.index(c) * w for c, w in zip(body, (3, 7, 9, 10, 5, 8, 4, 2))) % 11
    body += {10: "X", 11: "0"}.get(rest, str(rest))
    code = department + kind + division + body
    total = sum(ALPHABET.index(c) * pow(3, i, 31) for i, c in enumerate(code))
    return code + ALPHABET[(31 - total % 31) % 31]


def identity_number(beginning, serial):
    """A made-up resident identity number (GB 11643): its check character is right, its division is assigned to nobody."""
    digits = beginning + f"{serial:02d}"
    return digits + "10X98765432"[sum(int(d) * pow(2, 17 - i, 11) for i, d in enumerate(digits)) % 11]


def penalties(count, unit, first=1):
    """A valid penalties file of `unit`, decided today; records are numbered from `first`, and no two numbers are alike."""
    out = io.StringIO()
    rows = []
    for number in range(first, first + count):
        rows.append({
            "CF_XDR_MC": f"测试企业{number}有限公司", "CF_XDR_LB": "法人及非法人组织", "CF_XDR_SHXYM": credit_code(number),
            "CF_FRDB": "张某", "CF_WSH": f"示市监罚〔2026〕{number}号", "CF_WFXW": "未按规定公示价格",
            "CF_SY": "销售商品未按规定明码标价", "CF_YJ": "《中华人民共和国价格法》第四十二条", "CF_CFLB": "警告;罚款",
            "CF_NR": "给予警告并处罚款二千元", "CF_NR_FK": "0.2", "CF_JDRQ": datetime.date.today().strftime("%Y/%m/%d"),
            "CF_YXQ": "2099/12/31", "CF_CFJG": "示例局", "CF_CFJGDM": unit, "CF_SJLY": "示例局", "CF_SJLYDM": unit})
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")
