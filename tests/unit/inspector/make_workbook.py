#!/usr/bin/env python3
"""Writes workbooks for tests with openpyxl: make_workbook.py KIND OUT < rows. Rows are separated by LF, cells by tabs."""
import datetime
import html
import re
import sys
import zipfile

import openpyxl

kind, out = sys.argv[1:3]
rows = [line.split("\t") for line in sys.stdin.buffer.read().decode().rstrip("\n").split("\n")]
book = openpyxl.Workbook()
sheet = book.active
sheet.title = "报送"
for row in rows:
    sheet.append(row)
header = rows[0]


def column(name):
    return header.index(name) + 1


if kind == "typed":  # as people type: dates and amounts are numbers with a style
    for index in range(2, sheet.max_row + 1):
        for name in ("CF_JDRQ", "CF_YXQ"):
            cell = sheet.cell(index, column(name))
            cell.value = datetime.datetime.strptime(cell.value, "%Y/%m/%d")
            cell.number_format = "yyyy/m/d" if name == "CF_JDRQ" else "m/d/yy"
        cell = sheet.cell(index, column("CF_NR_FK"))
        cell.value = 0.1 + 0.2 + 0.2  # 0.5 with an error in the seventeenth digit
elif kind == "formula":
    sheet.cell(2, column("CF_SY")).value = "=\"当事人\"&\"未公示\""
elif kind == "damaged":
    sheet.cell(2, column("CF_XDR_SHXYM")).value = 913501001234567890
    sheet.cell(2, column("CF_JDRQ")).value = 46344
    sheet.cell(2, column("CF_SY")).value = "#N/A"
    sheet.cell(2, column("CF_SY")).data_type = "e"
elif kind == "hidden":
    first = book.create_sheet("说明", 0)
    first["A1"] = "填写说明"
    first.sheet_state = "hidden"
elif kind == "time":
    cell = sheet.cell(2, column("CF_JDRQ"))
    cell.value = datetime.datetime(2026, 11, 18, 8, 30)
elif kind == "sparse":
    sheet.insert_rows(2, 3)
    sheet.cell(1, len(header) + 3).value = None
    sheet.cell(900, 3).fill = openpyxl.styles.PatternFill("solid", fgColor="FFFF00")
elif kind == "1904":
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    cell = sheet.cell(2, column("CF_JDRQ"))
    cell.value = datetime.datetime(2026, 11, 18)
    cell.number_format = "yyyy\"年\"m\"月\"d\"日\""
book.save(out)

if kind in ("bomb", "shared-bomb", "external", "doctype", "twice", "order", "shared", "bad-shared"):
    # What no program writes, by changing what openpyxl wrote.
    with zipfile.ZipFile(out) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet_name = "xl/worksheets/sheet1.xml"
    if kind == "bomb":
        parts["xl/styles.xml"] = parts["xl/styles.xml"] + b" " * (60 << 20)
    elif kind == "external":
        parts["xl/_rels/workbook.xml.rels"] = parts["xl/_rels/workbook.xml.rels"].replace(
            b"/xl/worksheets/sheet1.xml", b"../../../../etc/passwd")
    elif kind == "doctype":
        parts[sheet_name] = b"<!DOCTYPE x [<!ENTITY a \"b\">]>" + parts[sheet_name].split(b"?>", 1)[-1]
    elif kind == "order":
        parts[sheet_name] = parts[sheet_name].replace(b"<row r=\"2\"", b"<row r=\"1\"")
    elif kind in ("shared", "bad-shared", "shared-bomb"):
        # Excel and WPS put texts into a table of their own, in runs and with readings; openpyxl writes them in place.
        texts = []

        def share(match):
            texts.append(html.unescape(match.group(2)))
            return f'{match.group(1)}t="s"><v>{len(texts) - 1}</v></c>'

        parts[sheet_name] = re.sub(r'(<c [^>]*)t="inlineStr"><is><t[^>]*>([^<]*)</t></is></c>', share,
                                   parts[sheet_name].decode()).encode()
        items = [f'<si><r><rPr><b/></rPr><t>{text[:1]}</t></r><r><t>{text[1:]}</t></r>'
                 '<rPh sb="0" eb="1"><t>reading</t></rPh></si>' for text in texts]
        if kind == "shared-bomb":
            # One text in the table, thousands of cells that show it: 50 KB of file, 200 MB of values.
            items[-1] = f'<si><t>{"x" * 100_000}</t></si>'
            parts[sheet_name] = parts[sheet_name].replace(b"</sheetData>", b"".join(
                b'<row r="%d"><c r="A%d" t="s"><v>%d</v></c></row>' % (i, i, len(items) - 1)
                for i in range(4, 2004)) + b"</sheetData>")
        if kind == "bad-shared":
            del items[-1]
        main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
        parts["xl/sharedStrings.xml"] = f'<sst xmlns="{main}">{"".join(items)}</sst>'.encode()
        relations = "xl/_rels/workbook.xml.rels"
        parts[relations] = parts[relations].replace(
            b"</Relationships>", b'<Relationship Id="rIdS" Target="sharedStrings.xml" Type="http://schemas.'
            b'openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/></Relationships>')
        types = "[Content_Types].xml"
        parts[types] = parts[types].replace(
            b"</Types>", b'<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-'
            b'officedocument.spreadsheetml.sharedStrings+xml"/></Types>')
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, octets in parts.items():
            archive.writestr(name, octets)
        if kind == "twice":
            archive.writestr("XL/worksheets/sheet1.xml", parts[sheet_name])
if kind == "shared":
    read_again = openpyxl.load_workbook(out).active
    assert [cell.value for cell in read_again[2]][:3] == rows[1][:3], "openpyxl reads something else"
