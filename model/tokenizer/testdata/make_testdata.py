#!/usr/bin/env python3
"""Makes the files in this folder, with Hugging Face `tokenizers` (pip install tokenizers) as the oracle.

  qwen_small.json    a tokenizer like Qwen2's, trained on TEXTS below
  gpt2_small.json    a tokenizer like SmolLM2's: separate digits, GPT-2's pattern, no normalizer, a template, and
                     added tokens with every flag
  llama3_small.json  a tokenizer like Llama 3's: groups of three digits, ignore_merges, begin-of-text
  golden.json        for each tokenizer and text: ids with control tokens as text ("plain", see plain_text.py) and
                     as tokens ("parse")
  golden_unicode.json  for each tokenizer and block of 4096 code points: the number of ids of the texts with
                     each code point, and the sum of (id + 1) times its 1-based position

With the path of the demo model's tokenizer.json (see deploy/local/demo_model.sh) as argument, also

  golden_demo.json   both for that tokenizer, which is too large to commit

The output is the same on every run with the same version of tokenizers.
"""

import json
import pathlib
import sys

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

import plain_text

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
LLAMA3 = QWEN2.replace(r"\p{N}|", r"\p{N}{1,3}|")

# One sentence in each of the fifty languages.
SENTENCES = {
    "zh": "我头痛发烧三天了，应该怎么办？",
    "ko": "사흘 동안 두통과 열이 있습니다. 어떻게 해야 하나요?",
    "ja": "三日前から頭痛と熱があります。どうすればよいですか。",
    "ne": "मलाई तीन दिनदेखि टाउको दुखेको र ज्वरो आएको छ। के गर्ने?",
    "th": "ปวดหัวและมีไข้มาสามวันแล้ว ควรทำอย่างไร",
    "vi": "Tôi bị đau đầu và sốt ba ngày nay. Tôi nên làm gì?",
    "lo": "ຂ້ອຍເຈັບຫົວ ແລະ ເປັນໄຂ້ມາສາມມື້ແລ້ວ ຄວນເຮັດແນວໃດ?",
    "mg": "Telo andro izay no nanavy sy narary andoha aho. Inona no tokony hataoko?",
    "ceb": "Tulo na ka adlaw nga sakit ang akong ulo ug gihilantan ko. Unsay akong buhaton?",
    "su": "Abdi nyeri sirah jeung muriang geus tilu poé. Kudu kumaha?",
    "ilo": "Tallo nga aldaw a nasakit ti ulok ken agpudpudotak. Ania ti aramidek?",
    "doi": "मिगी त्रै दिनें थमां सिरै च पीड़ ते बुखार ऐ। में केह् करां?",
    "en": "I've had a headache and a fever for 3 days; what should I do? It's 38.5 °C.",
    "de": "Ich habe seit drei Tagen Kopfschmerzen und Fieber – was soll ich tun?",
    "pt": "Estou com dor de cabeça e febre há três dias. O que devo fazer?",
    "es": "¿Qué debo hacer? Llevo tres días con dolor de cabeza y fiebre.",
    "fr": "J'ai mal à la tête et de la fièvre depuis trois jours. Que faire ?",
    "ru": "У меня три дня болит голова и держится температура. Что делать?",
    "hi": "मुझे तीन दिन से सिरदर्द और बुखार है। मुझे क्या करना चाहिए?",
    "it": "Ho mal di testa e febbre da tre giorni: cosa devo fare?",
    "hr": "Već tri dana imam glavobolju i vrućicu. Što da učinim?",
    "gl": "Levo tres días con dor de cabeza e febre. Que debo facer?",
    "cs": "Už tři dny mě bolí hlava a mám horečku. Co mám dělat?",
    "co": "Sò trè ghjorni chì aghju u dulore di capu è a frebba. Chì devu fà?",
    "la": "Tres iam dies capite doleo et febri laboro. Quid faciam?",
    "lb": "Ech hunn zënter dräi Deeg Kappwéi a Féiwer. Wat soll ech maachen?",
    "uk": "Уже три дні болить голова й гарячка. Що мені робити?",
    "bs": "Tri dana imam glavobolju i temperaturu. Šta da radim?",
    "bg": "От три дни имам главоболие и треска. Какво да правя?",
    "eo": "Jam tri tagojn mi havas kapdoloron kaj febron. Kion mi faru ĉi-okaze?",
    "mai": "हमरा तीन दिनसँ माथ दुखाइत अछि आ बोखार अछि। की करी?",
    "sr": "Три дана ме боли глава и имам температуру. Шта да радим?",
    "sq": "Kam tri ditë me dhimbje koke dhe temperaturë. Çfarë të bëj?",
    "sk": "Tri dni ma bolí hlava a mám horúčku. Čo mám robiť?",
    "da": "Jeg har haft hovedpine og feber i tre dage. Hvad skal jeg gøre?",
    "sa": "त्रीणि दिनानि मम शिरोवेदना ज्वरः च स्तः। किं करवाणि?",
    "no": "Jeg har hatt hodepine og feber i tre dager. Hva bør jeg gjøre?",
    "gn": "Mbohapy ára che akãrasy ha che akãnundu. Mba'épa ajapova'erã?",
    "gd": "Tha ceann goirt agus fiabhras orm fad trì latha. Dè nì mi?",
    "ar": "أعاني من صُداعٍ وحُمّى منذ ثلاثة أيام، فماذا أفعل؟",
    "ckb": "سێ ڕۆژە سەرم دێشێت و تام هەیە. چی بکەم؟",
    "mt": "Ili tlett ijiem b'uġigħ ta' ras u deni. X'għandi nagħmel?",
    "he": "יש לי כאב ראש וחום כבר שלושה ימים. מה לעשות?",
    "ln": "Nazali na mpasi ya motó mpe fièvre banda mikolo misato. Nasala nini?",
    "bm": "Kungolo dimi ni farigan bɛ n na kabini tile saba. N ka kan ka mun kɛ?",
    "sw": "Nina maumivu ya kichwa na homa kwa siku tatu. Nifanye nini?",
    "nso": "Ke na le go opa ga hlogo le letadi matšatši a mararo. Ke dire eng?",
    "ig": "Isi na-awa m, ahụ na-ekpokwa m ọkụ kemgbe ụbọchị atọ. Gịnị ka m ga-eme?",
    "rw": "Maze iminsi itatu mfite umuriro n'umutwe. Nkore iki?",
    "ha": "Kwana uku ina fama da ciwon kai da zazzaɓi. Me ya kamata in yi?",
}

# Difficult texts. Invisible characters are written as escapes.
HARD = [
    "",
    " ",
    "\n",
    "a",
    "don't DON'T we'LL I'VE you'Re 'S '\u017f x'\u017ft rock'n'roll ''s '",
    "nai\u0308ve re\u0301sume\u0301 A\u030angstro\u0308m a\u0323\u0302 a\u0302\u0323 \u1e9b\u0323 q\u0307\u0323",
    "\u212b \u2126 \u0340 \u0374 \u0958 \u0344 \uf900 \ufb1d \U0001d15e \u2adc",
    "\u1100\u1161\u11a8 \uac00\u11a8 \u1100\u1161 \u11a8",
    "a\u07fd\u0301 a\u0eba\u0301 e\U00011070\u0301 a\u1715\u0301 \u0301\u0301 \u0323",
    "👩‍👩‍👧‍👦🏳️‍🌈 👍🏽👍 🇩🇪🇫🇷 ☎️1️⃣ 🧬\u200d 🏴\U000e0067\U000e0062\U000e007f",
    "½ Ⅷ ٣٤٥ १२३ ３ ① 𝟙𝟚 12345678 3.14 1,000,000 10mg/kg 38,5°C 0x1F ²³ \U0001e5f1 \U00011de1",
    "one  two   three\t\tfour\r\nfive\r\n\r\n  six \n \n seven   ",
    "   leading\n\n\n   \n  \r \r\r mixed\x0b\x0c\x85\u2028\u2029end",
    "\xa0a\xa0\xa0b\u1680c\u180ed\u2003\u2003e\u202ff\u205fg\u3000\u3000h\u200bi\ufeffj",
    "def f(x: int) -> dict:\n    return {\"a\": [x + 1, 2]}  # !?\n\n\tif (a&&b||!c) { d->e = *f; }\n",
    "https://example.org/a_b?c=1&d=%20#e user@example.org C:\\x\\y $HOME ~/z @@@ ###!!! ...---...",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "headachefeverheadachefeverheadachefeverheadachefeverheadachefeverheadachefeverheadachefeverheadachefever",
    "================================================================================================ ------",
    "                                                                                          x\n\n\n\n\n\n\n",
    "ปวดหัวและมีไข้มาสามวันแล้วควรทำอย่างไรปวดหัวและมีไข้มาสามวันแล้วควรทำอย่างไรปวดหัวและมีไข้มาสามวันแล้ว",
    "<|endoftext|>a<|im_start|> user\n<|im_end|><|im_end|>\n<tool_call>x</tool_call> <|endoftext <|endoftext|",
    "x <mask> y<mask>z  <left>  a<right> \n b <word> c<word> <word>d é<word>. <Ange\u0301> <Ang\u00e9>",
    "<<<|endoftext|>>> <|im_start|><|im_start <|begin_of_text|>",
    "\x00\x01\x1c\x1f\x7f\x80\x9f\xad\ue000\uf8ff\U0010ffff\ufffd\ufffe\U000e0041\u0378\U00013460\U0002ebf0",
    "\U00040000\U000f0000\U00100000 ǅ ﬁ ﬆ ß ẞ İ ı ς K Å",
    "ក្រុម မြန်မာ ትኩሳት বাংলা தமிழ் മലയാളം ᓀᐦᐃᔭᐍᐏᐣ ᠮᠣᠩᠭᠣᠯ ꯃꯤꯇꯩ 𞤀𞤣𞤤𞤢𞤥 𓀀𓂀 𒀀",
]

SIMPLE = dict(single_word=False, lstrip=False, rstrip=False, normalized=False)


def texts():
    sentences = list(SENTENCES.values())
    assert len(sentences) == 50
    return sentences + HARD + [" ".join(sentences), "\r\n".join(sentences)]


def trained(pre_tokenizer, vocab_size, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([t for t in texts() if "<|" not in t], trainer)
    return tokenizer


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def qwen_small():
    tokenizer = trained(split(QWEN2), 1200)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_special_tokens([AddedToken(t, **SIMPLE) for t in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")])
    tokenizer.add_tokens([AddedToken(t, **SIMPLE) for t in ("<tool_call>", "</tool_call>")])
    return tokenizer


def gpt2_small():
    tokenizer = trained(pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]), 900)
    flags = lambda **changed: {**SIMPLE, **changed}
    tokenizer.add_special_tokens([AddedToken("<|endoftext|>", **SIMPLE), AddedToken("<|im_start|>", **SIMPLE)])
    tokenizer.add_special_tokens([AddedToken("<mask>", **flags(lstrip=True)), AddedToken("<|im_end|>", **SIMPLE)])
    tokenizer.add_tokens([AddedToken("<left>", **flags(lstrip=True, rstrip=True)), AddedToken("<right>", **flags(rstrip=True)),
                          AddedToken("<word>", **flags(single_word=True)),
                          AddedToken("<Ang\u00e9>", **flags(normalized=True)), AddedToken("a\u07fd", **SIMPLE)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>",
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in ("<|im_start|>", "<|im_end|>")])
    return tokenizer


def llama3_small():
    tokenizer = trained(split(LLAMA3), 900, ignore_merges=True)
    tokenizer.add_special_tokens([AddedToken(t, **SIMPLE) for t in ("<|begin_of_text|>", "<|endoftext|>")])
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[
            ("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))])])
    return tokenizer


def legacy_merges(path):
    """Rewrites merges as "a b", as in older files."""
    content = json.loads(path.read_text())
    content["model"]["merges"] = [" ".join(pair) for pair in content["model"]["merges"]]
    path.write_text(json.dumps(content, ensure_ascii=False))


def plain(tokenizer):
    return plain_text.without_control_tokens(json.loads(tokenizer.to_str()))


def golden(tokenizer):
    entry = {}
    for name, one in (("plain", plain(tokenizer)), ("parse", tokenizer)):
        entry[name] = [one.encode(t, add_special_tokens=False).ids for t in texts()]
    entry["around"] = tokenizer.encode("", add_special_tokens=True).ids
    return entry


def around(c):
    return f"{c} x{c}y  {c}{c} '{c}e{c}\u0301\u0323 1{c}\n\n{c}'s{c}"


def unicode_sums(tokenizer):
    """Returns [count, sum] for each block. Any change of an id changes them."""
    tokenizer = plain(tokenizer)
    result = []
    for start in range(0, 0x110000, 4096):
        points = [c for c in range(start, start + 4096) if not 0xD800 <= c < 0xE000]
        count = total = 0
        for encoding in tokenizer.encode_batch([around(chr(c)) for c in points], add_special_tokens=False):
            for i in encoding.ids:
                count += 1
                total += count * (i + 1)
        result.append([count, total])
    return result


def write(path, value):
    lines = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    path.write_text(lines.replace("],[", "],\n[") + "\n")


def main():
    folder = pathlib.Path(__file__).parent
    result = {"texts": texts(), "tokenizers": {}}
    sums = {}
    for make in (qwen_small, gpt2_small, llama3_small):
        tokenizer = make()
        path = folder / f"{make.__name__}.json"
        tokenizer.save(str(path), pretty=False)
        if make is gpt2_small:
            legacy_merges(path)
            tokenizer = Tokenizer.from_file(str(path))
        result["tokenizers"][make.__name__] = golden(tokenizer)
        sums[make.__name__] = unicode_sums(tokenizer)
    write(folder / "golden_unicode.json", sums)
    write(folder / "golden.json", result)
    if len(sys.argv) > 1:
        demo = Tokenizer.from_file(sys.argv[1])
        write(folder / "golden_demo.json", {**golden(demo), "unicode": unicode_sums(demo)})


if __name__ == "__main__":
    main()
