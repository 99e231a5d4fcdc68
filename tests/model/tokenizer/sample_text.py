"""Text to train and to try tokenizers on: many scripts, and nasty strings.

All of it is made here, from a fixed seed: nothing is downloaded.
"""

import random

# A few plain sentences per script; what they say does not matter.
SENTENCES = [
    "The kernel reads each key once, and the cache keeps what it can.",
    "It's late; we've measured it twice, they'll ask again. I'm sure he'd agree.",
    "Die Übung läuft über mehrere Stunden; größere Blöcke fließen zäher.",
    "L'été dernier, où étiez-vous ? Ça dépend de l'œuvre, naïve ou non.",
    "El niño comió piñas y señaló la montaña más próxima ¿verdad?",
    "Zażółć gęślą jaźń, a potem zmierz czas jeszcze raz.",
    "Příliš žluťoučký kůň úpěl a měření trvalo déle.",
    "İstanbul'da ılık bir gün, ağaçların gölgesi uzun.",
    "Tiếng Việt có nhiều dấu: ấm, ầm, ẩm, ẫm, ậm.",
    "Быстрая память дороже, чем медленная, но её всегда мало.",
    "Їжак їсть яблуко, ґанок зелений, є час.",
    "Η μνήμη είναι γρήγορη, ο δίσκος αργός· ώρα για ύπνο.",
    "Արագ հիշողությունը թանկ է, բայց պետք է։",
    "სწრაფი მეხსიერება ძვირია, მაგრამ საჭირო.",
    "הזיכרון המהיר יקר, אבל הוא נחוץ מאוד. שָׁלוֹם!",
    "الذاكرة السريعة باهظة الثمن لكنها ضرورية، مُحَمَّد كَتَبَ.",
    "حافظهٔ سریع گران است اما می‌ارزد؛ ۱۲۳۴.",
    "तेज़ स्मृति महँगी है, लेकिन ज़रूरी है। क्षेत्र १२३",
    "দ্রুত স্মৃতি ব্যয়বহুল, তবু দরকার। ১২৩",
    "வேகமான நினைவகம் விலை உயர்ந்தது. கோடை ௧௨௩",
    "వేగవంతమైన జ్ఞాపకం ఖరీదైనది, కానీ అవసరం.",
    "ವೇಗದ ನೆನಪು ದುಬಾರಿ, ಆದರೆ ಬೇಕು.",
    "വേഗമുള്ള ഓർമ്മ വിലയേറിയതാണ്.",
    "หน่วยความจำที่เร็วมีราคาแพง แต่จำเป็น ๑๒๓",
    "ຄວາມຈໍາໄວມີລາຄາແພງ ແຕ່ຈໍາເປັນ",
    "မြန်ဆန်သော မှတ်ဉာဏ်သည် ဈေးကြီးသည်။ ၁၂၃",
    "អង្គចងចាំលឿនមានតម្លៃថ្លៃ ប៉ុន្តែចាំបាច់។",
    "ፈጣን ማስታወሻ ውድ ነው፣ ግን ያስፈልጋል።",
    "ᠮᠣᠩᠭᠣᠯ ᠪᠢᠴᠢᠭ᠌ ᠶᠢᠨ ᠰᠤᠷᠭᠠᠯᠲᠠ",
    "བོད་ཡིག་གི་ཚིག་གྲུབ་ཅིག",
    "快速的内存很贵，但是必不可少。第一百二十三页，２０２６年。",
    "高速なメモリは高価ですが、必要です。カタカナ、ｶﾀｶﾅ、ｶﾞ。",
    "빠른 메모리는 비싸지만 필요합니다. 각 값을 각각 재요.",
    "for (int i = 0; i < n; ++i) { sum[i] += q[i] * k[i]; }  // dot",
    "def f(x):\n    return x ** 2 + 3.14e-10\n\n\nclass A:\n\tpass\r\n",
    '{"name": "value", "list": [1, 2, 3.5, null], "π": "≈ 3.14159"}',
    "😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ ☺︎ 1️⃣ 🤷🏿‍♀️",
    "∀x ∈ ℝ: ⌈x⌉ = −⌊−x⌋ ∧ ∑ aᵢ² ≥ 0 → ½ Ⅷ ①②③ ²³",
]

_SYLLABLES = [
    "ka lo mi ter ing pre con tion al er st ra ve no sha qu ex un de ly",
    "ва по ни сть ра го про ен ие ла ми то на ко ре",
    "λα με τη ρο κα σι νο πε θα ξη",
    "क र ति न मा सा पर वि या ने",
    "لا من ال ية ون كت مد سر با ها",
    "的 一 是 不 了 人 我 在 有 他 这 中 大 来 上 国 快 速 内 存",
    "の に は を た が で て と し カ タ ナ ラ ン",
    "가 나 다 는 을 이 에 고 하 지 빠 른",
]


def words(random_, count):
    """`count` different made-up words, most of them Latin."""
    syllables = [line.split() for line in _SYLLABLES]
    found = {}
    while len(found) < count:
        script = syllables[0 if random_.random() < 0.6
                           else random_.randrange(len(syllables))]
        word = "".join(random_.choices(script, k=random_.randint(1, 5)))
        if random_.random() < 0.1:
            word = word.capitalize()
        found[word] = None
    return list(found)


def prose(seed, size, num_words=20000):
    """About `size` characters of sentences, words drawn by Zipf's law."""
    random_ = random.Random(seed)
    known = words(random_, num_words)
    weights = [1 / (rank + 3) for rank in range(len(known))]
    parts = []
    length = 0
    while length < size:
        sentence = " ".join(
            random_.choices(known, weights, k=random_.randint(4, 18)))
        if random_.random() < 0.15:
            sentence += f" {random_.randint(0, 99999)}"
        if random_.random() < 0.05:
            sentence = random_.choice(SENTENCES)
        sentence += random_.choice([". ", ", ", "! ", ".\n", "\n\n", "; "])
        parts.append(sentence)
        length += len(sentence)
    return "".join(parts)


# Characters that implementations disagree about.
EDGES = (
    "\t\n\v\f\r \x1c\x1d\x1e\x1f\x85\xa0\u1680\u180e\u2000\u200a\u200b\u200c"
    "\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\ufffd\ufffe\uffff"
    "\x00\x01\x7f\x80\xad\u017f\u212a\u0130\u0131\xdf\u1e9e\ufb05\ufb06"
    "\u0300\u0301\u0323\u0327\u0345\u0344\u0340\u0341\u0343\u0374\u037e\u0387"
    "\u0958\u09dc\u0f43\u2126\u212b\u2adc\ufb1d\ufb2a\u1100\u1161\u11a8\uac00"
    "\uac01\u115f\u1160\u3099\u309a\u304b\u30ab\uf900\U0002f800\U0001d15e"
    "\U000110ba\U00011938\ue000\uf8ff\U000f0000\U0010ffff\u0378\u0870\u0898"
    "\u08c8\u0c5d\u1dfa\u20c0\u2c2f\ua7c0\U00010570\U00010f70\U000116b9"
    "\U0001df00\U0001e290\U00010d40\U00010d69\U000105c9\U000105d2\U00011383"
    "\U00016121\U00016d63\U00016d67\U00016d68\U0002ebf0\U00031350\U00031fff"
    "\U000323b0\U0001fae0\U0001f8b2")

NASTY = [
    "", " ", "  ", "\n", "\r\n", "\r", "\n\n\n", " \n ", "\r\n\r\n \r\n",
    "a", "aa", "a b", " a", "a ", "  a  ", "\ta\t\tb", "a\nb\r\nc\rd\n\re",
    "a \n b", "a  \n\n  b", "   \n", "\n   ", "x\u00a0y", "x \u00a0 y",
    " " * 10000, "a" * 10000, "\n" * 10000, "é" * 5000, "e\u0301" * 5000,
    "0" * 10000, "!" * 10000, "ab" * 5000, " a" * 5000, "\r\n" * 5000,
    "中" * 5000, "😀" * 3000, "\u0301" * 3000, "\u0323\u0301" * 3000,
    "a" + "\u0301\u0323\u0315" * 2000, " " * 9999 + "x", "x" + " " * 9999,
    "\t" * 500 + " " * 500 + "\n" * 500 + "end",
    "it's IT'S It'S we'Re WE'RE they'LL I'M i'm he'D can'T 'Tis 'tis ''s",
    "'\u017f 'S\u017f x'\u017fy '\u017e", "'s't're've'm'll'd", "'LL'VE'RE'D",
    "o'clock rock'n'roll 'quoted' \u2019s \u02bcs",
    "1234567890 12.5e-3 0x1F ٣٤٥ १२३ ５６７ Ⅷ ½ ²³ ①",
    "日本語テキスト、混ぜ書きEnglish混じり。", "ｶﾞｷﾞ がぎ か\u3099き\u3099",
    "각 \u1100\u1161\u11a8 \u1112\u1161\u11ab\u1100\u1173\u11af 가\u11a8 "
    "\u1100\u1161 \u1161\u11a8 \u1100\u1100\u1161\u1161\u11a8\u11a8",
    "q\u0307\u0323 q\u0323\u0307 a\u0315\u0300\u05ae\u0062 \u1e0b\u0323",
    "\u0344 \u0340\u0341 \u2126 \u212b \u0958 \u2adc \ufb2a \ufb1d \u0f43",
    "\U0001d15e \U0001d1bb\U0001d16e \U000110a5\U000110ba \u0fb2\u0f71\u0f80",
    "שלום עולם \u200f‏abc‏ \u202bRTL\u202c مرحبا abc",
    "\ue000\ue001 \uf8ff \U000f0000\U0010fffd \ufdd0 \U0001fffe",
    "\u0378\u0379 \u0870\u0898 \u2fe0 \U0001ddff \U0003ffff \U000e0fff",
    "\x00", "a\x00b", "\x00\x00 \x00", "\x01\x02\x1b[31mred\x1b[0m\x7f\x80\x9f",
    "\ufeffBOM", "zero\u200bwidth\u200cnon\u200djoiner\u2060",
    "👩‍👩‍👧‍👦👍🏽🏳️‍🌈🇩🇪🇫🇷1️⃣ ❤️☺︎ 🤷🏿‍♀️", "\ufe0f\u200d\u20e3",
    "Z̸̢̛͖̮͇a̶̧̛̠l̵̥̈́g̴̭͝o̷̢͋", "ﬁ ﬃ ſt ﬆ ǅ Ǆ ß ẞ",
    EDGES, " ".join(EDGES), "a".join(EDGES), "'s".join(EDGES),
]


def special_texts(tokens):
    """Added tokens alone, in a row, broken, and beside all sorts of text."""
    random_ = random.Random(5)
    texts = list(tokens)
    for token in tokens:
        texts += [
            token + token, token[:-1], token[1:], f"a{token}b", f" {token} ",
            f"  {token}\n\n", f"{token}\u0301", f"e{token}\u0301", f"1{token}2",
            f"\u2003{token}\u2003\u3000{token}", f"_{token}_ -{token}-",
            f"\u0301{token}\u0301", f"'{token}s", f"\u24b6{token}\u200d",
            f"{token[:3]}{token}{token[3:]}", f"\x85{token}\u180e{token}\u200b",
        ]
    for _ in range(300):
        parts = random_.choices(
            tokens + [" ", "\n", "a", "word", " é", "e\u0301", "  ", "_", "<"],
            k=random_.randint(2, 12))
        texts.append("".join(parts))
    texts.append(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi"
        "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
    return texts


def random_texts(count, seed=11):
    """Strings of up to 60 characters from pools of increasing wildness."""
    random_ = random.Random(seed)
    ascii_ = [chr(c) for c in range(128)]
    letters = sorted({c for sentence in SENTENCES for c in sentence})
    marks = [chr(c) for c in range(0x300, 0x370)] + list("\u0323\u0301\u05b0"
                                                       "\u064b\u093c\u094d")
    spaces = list(" \t\n\r\u00a0\u3000") + ["  ", "\r\n", " \n"]
    pieces = ["'s", "'LL", "n't", "123", "<|im_end|>", "http://", "...", "--"]

    def anything():
        while True:
            c = random_.randrange(0x110000)
            if not 0xD800 <= c < 0xE000:
                return chr(c)

    def assigned_area():
        while True:
            c = random_.randrange(0x3400)
            if random_.random() < 0.2:
                c = random_.randrange(0x1F000, 0x1FB00)
            elif random_.random() < 0.2:
                c = random_.randrange(0xA000, 0xFFFF)
            if not 0xD800 <= c < 0xE000:
                return chr(c)

    pools = [
        lambda: random_.choice(ascii_),
        lambda: random_.choice(letters),
        lambda: random_.choice(marks),
        lambda: random_.choice(spaces),
        lambda: random_.choice(pieces),
        lambda: random_.choice(EDGES),
        assigned_area,
        anything,
    ]
    texts = []
    for _ in range(count):
        weights = [random_.random() ** 3 for _ in pools]
        texts.append("".join(
            pool() for pool in random_.choices(
                pools, weights, k=random_.randint(0, 60))))
    return texts
