package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
	"strings"
	"time"
)

// Made-up penalties that every check of the catalog accepts, in division 219900, which is assigned to nobody.

const header = "CF_XDR_MC,CF_XDR_LB,CF_XDR_SHXYM,CF_FRDB,CF_WSH,CF_WFXW,CF_SY,CF_YJ,CF_CFLB,CF_NR,CF_NR_FK,CF_JDRQ,CF_YXQ," +
	"CF_CFJG,CF_CFJGDM,CF_SJLY,CF_SJLYDM\r\n"

const (
	creditAlphabet       = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100, without I, O, S, V, Z
	organisationAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var phrases = strings.Fields(`执法人员在现场检查时发现 当事人未能提供进货查验记录 经营场所内摆放的商品没有标明价格 当事人对上述事实没有异议
有现场笔录和询问笔录为证 当事人主动配合调查并如实陈述 货架上的食品已经超过保质期限 涉案商品已经全部下架封存 当事人的行为违反了有关规定
本机关依法送达了告知书 当事人在规定期限内没有提出陈述和申辩 违法行为轻微并且及时改正 没有造成明显的危害后果 当事人的账册没有如实记载
销售的产品与说明书不相符 广告中使用了不准确的用语 当事人没有按照要求公示信息 仓库内存放的原料没有检验合格证明 相关人员没有取得健康证明
计量器具没有按照规定申请检定 当事人擅自变更了登记事项 合同文本中含有免除自身责任的条款 经查证属实并经集体讨论决定 当事人应当在期限内履行本决定
逾期不履行的将依法申请强制执行 如不服本决定可以依法申请复议`)

// creditCode is a unified social credit code with both check digits right (GB 32100, GB 11714); serial < 10^8.
func creditCode(serial int) string {
	body := fmt.Sprintf("%08d", serial)
	sum := 0
	for i, weight := range []int{3, 7, 9, 10, 5, 8, 4, 2} {
		sum += strings.IndexByte(organisationAlphabet, body[i]) * weight
	}
	switch rest := 11 - sum%11; rest {
	case 10:
		body += "X"
	case 11:
		body += "0"
	default:
		body += string(rune('0' + rest))
	}
	code := "91219900" + body
	total, weight := 0, 1
	for i := range code {
		total += strings.IndexByte(creditAlphabet, code[i]) * weight
		weight = weight * 3 % 31
	}
	return code + string(creditAlphabet[(31-total%31)%31])
}

// writeText writes phrases until about `octets` octets of UTF-8 are reached.
func writeText(out *bufio.Writer, random *rand.Rand, octets int) {
	for written := 0; ; {
		n, _ := out.WriteString(phrases[random.Intn(len(phrases))])
		written += n + 3
		if written >= octets {
			break
		}
		out.WriteString("，")
	}
	out.WriteString("。")
}

// writeRows writes the header and rows number first to first+count-1; no two numbers have a row in common. `octets` is about
// the length of a row; the shortest is about 400.
func writeRows(to io.Writer, unit string, first, count, octets int) error {
	out := bufio.NewWriterSize(to, 1<<20)
	random := rand.New(rand.NewSource(int64(first)))
	decided := time.Now().In(time.FixedZone("Asia/Shanghai", 8*3600)).Format("2006/01/02")
	text := octets - 380
	if text < 0 {
		text = 0
	}
	out.WriteString(header)
	for number := first; number < first+count; number++ {
		fmt.Fprintf(out, "测试企业%d有限公司,法人及非法人组织,%s,张某,示市监罚〔2026〕%d号,", number, creditCode(number), number)
		if text == 0 {
			out.WriteString("未按规定公示价格,销售商品未按规定明码标价,《中华人民共和国价格法》第四十二条,警告;罚款,给予警告并处罚款二千元")
		} else {
			writeText(out, random, text/10)
			out.WriteByte(',')
			writeText(out, random, text*5/10)
			out.WriteString(",《中华人民共和国价格法》第四十二条：")
			writeText(out, random, text/10)
			out.WriteString(",警告;罚款,")
			writeText(out, random, text*3/10)
		}
		fmt.Fprintf(out, ",0.2,%s,2099/12/31,示例局,%s,示例局,%s\r\n", decided, unit, unit)
	}
	return out.Flush()
}
