// The texts of models' cards in the user's language. Cards are English; a text without a translation stays as it is.

import { language } from "./i18n.ts";

const CHINESE: Readonly<Record<string, string>> = {
  "three Whisper-base blocks, pooled over time, with a head that serves with and without a speaker's profile":
    "Whisper-base 编码器的三个块，在时间上池化；分类头有无说话人档案均可使用",
  "convolutions for local patterns and an LSTM for time, over log-mel, cepstra, F0 and level":
    "卷积识别局部模式，LSTM 处理时间变化；输入为对数梅尔谱、倒谱、基频和音量",
  "depthwise-separable convolutions with squeeze-and-excitation over log-mel, cepstra, F0 and level":
    "深度可分离卷积与通道注意力；输入为对数梅尔谱、倒谱、基频和音量",
  "classical baseline: functionals of MFCC, F0, level and spectrum, PCA, RBF machines":
    "经典基线：MFCC、基频、音量和频谱的泛函，主成分分析，径向基支持向量机",
  "research, non-commercial; no redistribution right is claimed for the corpora (see pretrained/LICENSE)":
    "仅限研究，非商业用途；对语料库不主张再分发权（见 pretrained/LICENSE）",
  "yours: trained on your own recordings": "归您所有：用您自己的录音训练",
  "none known: trained on your own recordings": "没有已知风险：用您自己的录音训练",
  "low: open, attribution and share-alike of the database": "低：开放许可，数据库须署名并以相同方式共享",
  "low: offered for free use with citation, but without a formal licence text":
    "低：注明出处即可免费使用，但没有正式的许可文本",
  "medium: non-commercial and share-alike; whether weights inherit that is not settled":
    "中：非商业并以相同方式共享；权重是否继承此条件尚无定论",
  "high: research agreement, no redistribution; per-clip features must not be shipped either":
    "高：研究协议，禁止再分发；逐条录音的特征同样不得分发",
  "high: no licence text, so nothing beyond research is granted": "高：没有许可文本，因此除研究外未授予任何权利",
  "high: the distribution allows research use only": "高：发布者只允许研究用途",
  "high: individual research agreement": "高：须单独签订研究协议",
  "high: the recordings are copyrighted television": "高：录音出自受版权保护的电视节目",
  "high: research use by registration, no grant for anything else": "高：登记后可用于研究，未授予其他权利",
  "high: academic use, and the recordings are cut from broadcast radio plays": "高：仅限学术用途，且录音截自广播剧",
  "high: no derivatives and non-commercial; evaluate on it, do not ship weights trained on it":
    "高：禁止演绎且非商业；可用于评测，不要分发用它训练的权重",
  "high: no licence text, and the recordings are cut from broadcast talk shows":
    "高：没有许可文本，且录音截自电视谈话节目",
  "high: cut from YouTube; voices of people who were never asked": "高：截自 YouTube，录音中的人从未被征求同意",
};

/** Stands in a description before the corpora that the model learnt from. */
const LEARNT = "; learnt from ";

/** Return a text of a card in the user's language, such as its description or its licence. */
export function cardText(text: string): string {
  if (language() !== "zh-CN") return text;
  const [what = "", corpora] = text.split(LEARNT);
  const known = (Object.hasOwn(CHINESE, what) && CHINESE[what]) || what;
  return corpora === undefined ? known : `${known}；训练数据：${corpora}`;
}

/** Return the licence risks of a card as lines, one for each corpus, in the user's language. */
export function riskLines(text: string): readonly string[] {
  const between = language() === "zh-CN" ? "：" : ": ";
  return text.split(/; (?=\w[\w-]*: (?:low|medium|high): )/).map((part) => {
    const [, corpus, risk] = /^([\w-]+): ((?:low|medium|high): .*)$/.exec(part) ?? [];
    return corpus && risk ? `${corpus}${between}${cardText(risk)}` : cardText(part);
  });
}
