"""Names of languages, as those say them who transcribe speech.

Source: the languages of Whisper, Radford et al. 2022 (arXiv:2212.04356), appendix E, by the codes
of its tokenizer. OpenAI's answers name them in the same words.
"""

from __future__ import annotations

_CODES = """
    af=afrikaans am=amharic ar=arabic as=assamese az=azerbaijani ba=bashkir be=belarusian
    bg=bulgarian bn=bengali bo=tibetan br=breton bs=bosnian ca=catalan cs=czech cy=welsh da=danish
    de=german el=greek en=english es=spanish et=estonian eu=basque fa=persian fi=finnish
    fo=faroese fr=french gl=galician gu=gujarati ha=hausa haw=hawaiian he=hebrew hi=hindi
    hr=croatian ht=haitian_creole hu=hungarian hy=armenian id=indonesian is=icelandic it=italian
    ja=japanese jw=javanese ka=georgian kk=kazakh km=khmer kn=kannada ko=korean la=latin
    lb=luxembourgish ln=lingala lo=lao lt=lithuanian lv=latvian mg=malagasy mi=maori mk=macedonian
    ml=malayalam mn=mongolian mr=marathi ms=malay mt=maltese my=myanmar ne=nepali nl=dutch
    nn=nynorsk no=norwegian oc=occitan pa=punjabi pl=polish ps=pashto pt=portuguese ro=romanian
    ru=russian sa=sanskrit sd=sindhi si=sinhala sk=slovak sl=slovenian sn=shona so=somali
    sq=albanian sr=serbian su=sundanese sv=swedish sw=swahili ta=tamil te=telugu tg=tajik th=thai
    tk=turkmen tl=tagalog tr=turkish tt=tatar uk=ukrainian ur=urdu uz=uzbek vi=vietnamese
    yi=yiddish yo=yoruba yue=cantonese zh=chinese
"""

_OTHER_NAMES = """
    burmese=my castilian=es flemish=nl haitian=ht letzeburgesch=lb mandarin=zh moldavian=ro
    moldovan=ro panjabi=pa pushto=ps sinhalese=si valencian=ca
"""


def _pairs(table: str) -> dict[str, str]:
    return dict(pair.replace("_", " ").split("=") for pair in table.split())


NAMES = _pairs(_CODES)
"""English names by code, in lower case."""

CODES = {name: code for code, name in NAMES.items()} | _pairs(_OTHER_NAMES)
"""Codes by English name, in lower case; some have several."""


def name_of(code: str) -> str:
    """The English name of a language; its code, if it has none here.

    Example:
        >>> name_of("de")
        'german'
    """
    return NAMES.get(code, code)


def code_of(given: str) -> str | None:
    """The code of a language from that code, with a region or without, or from a name.

    Example:
        >>> code_of("pt-BR"), code_of("German"), code_of("klingon")
        ('pt', 'de', None)
    """
    plain = given.strip().lower().replace("_", "-")
    code = plain.partition("-")[0]
    return code if code in NAMES else CODES.get(plain.replace("-", " "))
