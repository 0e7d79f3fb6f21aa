"""The words of a text as MongoDB's English text index has them: stop words left out, endings cut off (Porter's stemmer).

https://tartarus.org/martin/PorterStemmer/ is the rule of the stemmer; other languages count words as they are.
"""

import re
import unicodedata

WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
STOP = frozenset(
    "a about above after again against all am an and any are aren't as at be because been before being below between "
    "both but by can't cannot "
    "could couldn't did didn't do does doesn't doing don't down during each few for from further had hadn't has hasn't "
    "have haven't having he "
    "he'd he'll he's her here here's hers herself him himself his how how's i i'd i'll i'm i've if in into is isn't it "
    "it's its itself let's "
    "me more most mustn't my myself no nor not of off on once only or other ought our ours ourselves out over own same "
    "shan't she she'd "
    "she'll she's should shouldn't so some such than that that's the their theirs them themselves then there there's "
    "these they they'd "
    "they'll they're they've this those through to too under until up very was wasn't we we'd we'll we're we've were "
    "weren't what what's "
    "when when's where where's which while who who's whom why why's with won't would wouldn't you you'd you'll you're "
    "you've your yours "
    "yourself yourselves".split()
)


def plain(text, case=False, accents=False):
    """Return a text with case and accents taken away, unless they are to count."""
    if not accents:
        text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return text if case else text.lower()


def tokens(text, english=True, case=False, accents=False):
    """Return the (word, stem) pairs of a text, without stop words."""
    words = [word for word in WORD.findall(plain(text, case, accents)) if not (english and word.lower() in STOP)]
    return [(word, stem(word) if english else word) for word in words]


def _measure(word):
    """How many times a vowel is followed by a consonant."""
    return len(re.findall("vc", re.sub("v+", "v", re.sub("c+", "c", _shape(word)))))


def _shape(word):
    shape = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and shape.endswith("c"))
        shape += "v" if vowel else "c"
    return shape


def _short(word):
    """Whether it ends consonant, vowel, consonant other than w, x, y."""
    return _shape(word)[-3:] == "cvc" and word[-1] not in "wxy"


STEP_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "abli": "able", "alli": "al",
    "entli": "ent", "eli": "e",
    "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive", "fulness": "ful",
    "ousness": "ous",
    "aliti": "al", "iviti": "ive", "biliti": "ble",
}  # fmt: skip
STEP_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
STEP_4 = "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize".split()


def stem(word):
    """Return the stem of an English word."""
    if len(word) < 3:
        return word
    word = _plural(word)
    word = _past(word)
    if word.endswith("y") and "v" in _shape(word[:-1]):
        word = word[:-1] + "i"
    for table in (STEP_2, STEP_3):
        ending = next((e for e in sorted(table, key=len, reverse=True) if word.endswith(e)), None)
        if ending and _measure(word[: -len(ending)]) > 0:
            word = word[: -len(ending)] + table[ending]
    ending = next((e for e in sorted(STEP_4, key=len, reverse=True) if word.endswith(e)), None)
    if ending and _measure(rest := word[: -len(ending)]) > 1 and (ending != "ion" or rest[-1:] in ("s", "t")):
        word = rest
    if word.endswith("e") and (_measure(word[:-1]) > 1 or (_measure(word[:-1]) == 1 and not _short(word[:-1]))):
        word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _plural(word):
    if word.endswith("sses") or word.endswith("ies"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word):
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        rest = word[: -len(ending)]
        if word.endswith(ending) and "v" in _shape(rest):
            if rest.endswith(("at", "bl", "iz")):
                return rest + "e"
            if len(rest) > 1 and rest[-1] == rest[-2] and rest[-1] not in "lsz" and _shape(rest)[-1] == "c":
                return rest[:-1]
            return rest + "e" if _measure(rest) == 1 and _short(rest) else rest
    return word
