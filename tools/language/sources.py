"""The Debian packages for training and testing the language classifier.

Languages are the codes of model/language/default_families.txt. A package is
either for training or for testing, except SPLIT_PACKAGE, which is for both.
"""

TRAIN = [
    "mediawiki",
    "gnucash-common",
    "abiword-common",
    "audacity-data",
    "evolution-common",
    "firefox-esr-l10n-bs",
    "firefox-esr-l10n-hr",
    "firefox-esr-l10n-sr",
    "gedit-common",
    "gimp-data",
    "gnome-control-center-data",
    "libreoffice-l10n-bs",
    "libreoffice-l10n-cs",
    "libreoffice-l10n-da",
    "libreoffice-l10n-es",
    "libreoffice-l10n-gd",
    "libreoffice-l10n-gl",
    "libreoffice-l10n-gug",
    "libreoffice-l10n-hi",
    "libreoffice-l10n-hr",
    "libreoffice-l10n-it",
    "libreoffice-l10n-nb",
    "libreoffice-l10n-ne",
    "libreoffice-l10n-nso",
    "libreoffice-l10n-pt",
    "libreoffice-l10n-sk",
    "libreoffice-l10n-sr",
    "mate-panel-common",
]

TEST = [
    "cinnamon-l10n",
    "dokuwiki",
    "firefox-esr-l10n-gn",
    "gnome-user-docs",
    "libgtk-3-common",
    "libreoffice-l10n-rw",
    "nautilus-data",
    "python3-django",
    "terminator",
    "tuxpaint-data",
    "vlc-l10n",
    "wordpress-l10n",
]

# Text in no language (neutral.py): names, code, terms.
NEUTRAL = [
    "fail2ban",
    "hunspell-en-med",
    "iso-codes",
    "libtimezonemap-data",
    "logcheck-database",
    "postgresql-doc-15",
    "python3-fake-factory",
    "python3-pygments",
    "ruby-ffaker",
    "ruby-rouge",
    "tzdata",
    "wordnet-base",
]

# A source package whose test texts are the Universal Declaration of Human Rights
# in many languages: prose, for a second test. No part of it is in TRAIN.
DECLARATION = "libexttextcat"

# No other package has these languages. They are tested on these parts of mediawiki
# (separate projects with other translators), which are excluded from training.
# Cebuano has little beyond mediawiki's core.
SPLIT_PACKAGE = "mediawiki"
_PROJECTS = [
    "extensions-core/VisualEditor",
    "extensions-core/AbuseFilter",
    "extensions-core/Cite",
    "extensions-core/OATHAuth",
    "skins/",
    "includes/installer",
]
SPLIT = {
    "ceb": ["extensions-core/", "skins/", "includes/installer"],
    "ilo": _PROJECTS,
    "mt": _PROJECTS,
}

# The source that normalize.cc writes for romanised lines.
ROMANISED = "romanised"
# The source of lines from neutral.py and questions.py.
NEUTRAL_TEXT = "neutral"
QUESTIONS = "questions"
# ISO 639: no linguistic content.
NO_LANGUAGE = "zxx"

# Languages outside the table that people may write in. They have separate labels,
# so that their text does not count as a language of the table.
OTHERS = (
    "af ast az be br ca cy et eu fa fi fo fy ga hu id is jv kk lt lv mk mn mr ms "
    "nds nl oc pl ps ro sco sl so sv tl tr ur uz xh yo zu"
).split()

# Codes that packages use for languages of the table.
ALIASES = {
    "nb": "no", "nn": "no", "nb-no": "no", "iw": "he", "dgo": "doi", "gug": "gn",
    "fil": "tl", "be-tarask": "be", "sr-ec": "sr", "sr-el": "sr", "sr-latin": "sr",
    "sr-cyrl": "sr", "sr-latn": "sr", "plt": "mg", "ha-ng": "ha",
    "zh-hans": "zh", "zh-hant": "zh", "zh-cn": "zh", "zh-tw": "zh", "zh-hk": "zh",
    "pt-br": "pt", "pt-pt": "pt", "en-gb": "en", "de-formal": "de", "de-at": "de",
    "de-ch": "de", "es-mx": "es", "es-ar": "es", "fr-ca": "fr", "ne-np": "ne",
    "mai-in": "mai", "su-id": "su", "doi-in": "doi", "sr-rs": "sr", "bs-ba": "bs",
    "ku-arab": None, "ku": None, "mg-mg": "mg", "gd-gb": "gd", "lo-la": "lo",
    "rw-rw": "rw", "en-us": "en", "sw-tz": "sw",
}
