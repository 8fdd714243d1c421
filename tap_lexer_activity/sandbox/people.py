"""The people of the contact centre and their words: agents, groups, forms, classifications, customers, texts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A user, as `GET /v1/users` shows it."""

    id: int
    email: str
    first_name: str
    last_name: str
    timezone: str
    gmtoffset: float
    sign_in_count: int
    last_sign_in_at: str | None
    archived: bool = False
    groups: tuple[int, ...] = (11,)

    @property
    def full_name(self) -> str:
        """Both names as one text."""
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group, as `GET /v1/groups` shows it."""

    id: int
    name: str
    comment: str | None


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form, as `GET /v1/forms` shows it."""

    id: int
    name: str
    title: str
    archived: bool = False
    created_at: str
    groups: tuple[int, ...]
    nps: bool
    form_url: str


@dataclass(frozen=True)
class Classification:
    """A label on messages. An archived one stays in the reports, as Lexer's article on classifications says."""

    id: int
    name: str
    archived: bool = False


HOME = "Australia/Sydney"
"""Stands for the account's zone, in users who work there."""

AGENTS = (
    Agent(
        id=1201,
        email="siobhan@example.com",
        first_name="Siobhán",
        last_name="O'Brien",
        timezone=HOME,
        gmtoffset=10,
        sign_in_count=812,
        last_sign_in_at="2025-02-03T21:14:09Z",
        groups=(11, 12),
    ),
    Agent(
        id=1202,
        email="mai@example.com",
        first_name="Nguyễn Thị",
        last_name="Mai",
        timezone="Asia/Ho_Chi_Minh",
        gmtoffset=7,
        sign_in_count=640,
        last_sign_in_at="2025-02-04T01:30:00Z",
    ),
    Agent(
        id=1203,
        email="jj@example.com",
        first_name='Jean "JJ"',
        last_name="Dupont, Jr.",
        timezone="Australia/Adelaide",
        gmtoffset=9.5,
        sign_in_count=77,
        last_sign_in_at="2025-02-01T05:02:44Z",
        groups=(11, 12, 13),
    ),
    Agent(
        id=1204,
        email="zoe@example.com",
        first_name="Zoë 🎧",
        last_name="Müller-Straße",
        timezone="Australia/Brisbane",
        gmtoffset=10,
        sign_in_count=301,
        last_sign_in_at="2025-02-03T23:59:59Z",
    ),
    Agent(
        id=1205,
        email="lior@example.com",
        first_name="ליאור",
        last_name="כהן",
        timezone="Asia/Jerusalem",
        gmtoffset=2,
        sign_in_count=98,
        last_sign_in_at="2025-01-30T09:00:00Z",
        groups=(12,),
    ),
    Agent(
        id=1206,
        email="madonna@example.com",
        first_name="Madonna",
        last_name="",
        timezone="Pacific/Auckland",
        gmtoffset=12,
        sign_in_count=55,
        last_sign_in_at="2025-02-02T18:45:10Z",
        groups=(),
    ),
    Agent(
        id=1207,
        email="null@example.com",
        first_name="Jennifer",
        last_name="Null",
        timezone="Asia/Kolkata",
        gmtoffset=5.5,
        sign_in_count=12,
        last_sign_in_at="2024-06-28T04:00:00Z",
        archived=True,
    ),
    Agent(
        id=1208,
        email="newcomer@example.com",
        first_name="Pat",
        last_name="Newcomer",
        timezone=HOME,
        gmtoffset=10,
        sign_in_count=0,
        last_sign_in_at=None,
    ),
)

AGENT_BY_ID = {agent.id: agent for agent in AGENTS}

AGENT_LOAD = ((1201, 24), (1202, 21), (1203, 16), (1204, 14), (1205, 12), (1206, 9), (1207, 4))
"""Agents who take messages, with their shares. The newcomer has not begun."""

GROUPS = (
    Group(id=11, name="Social Customer Care", comment="Social customer care team members"),
    Group(id=12, name="Escalations → Tier 2", comment="Ring first,\nthen write"),
    Group(id=13, name="店舗サポート", comment=None),
)

FORMS = (
    Form(
        id=55,
        name="NPS Survey",
        title="How likely are you to recommend us?",
        created_at="2018-05-26T21:54:19Z",
        groups=(11,),
        nps=True,
        form_url="https://forms.example.com/123455678899876543/55/form",
    ),
    Form(
        id=56,
        name="NPS → Escalations",
        title="Did we put it right?",
        created_at="2021-11-02T03:10:00Z",
        groups=(11, 12),
        nps=True,
        form_url="https://forms.example.com/123455678899876543/56/form",
    ),
    Form(
        id=57,
        name="Identity check",
        title="Please confirm who you are",
        created_at="2019-08-14T23:00:00Z",
        groups=(12,),
        nps=False,
        form_url="https://forms.example.com/123455678899876543/57/form",
    ),
)

NPS_FORM_IDS = tuple(form.id for form in FORMS if form.nps)

QUESTIONS = {
    55: (
        ("What is the main reason for your score?", ("Speed", "Friendliness", "It took too long", "", "Price, mostly")),
        ("May we contact you?", ("Yes", "No", "")),
    ),
    56: (
        ("Was your problem solved?", ("Yes", "No", "Partly; see above")),
        ("What could we do better, in a sentence?", ("", "Nothing!", 'Less "hold music"', "Answer\nsooner", "NA")),
    ),
}
"""Per NPS form its two configured questions, each with the answers that customers give."""

CLASSIFICATIONS = (
    Classification(123, "amusing"),
    Classification(143, "customer service"),
    Classification(466, "positive"),
    Classification(528, "feedback, general"),
    Classification(1246, 'delivery "express"'),
    Classification(1465, "image"),
    Classification(1467, "loyalty ♥"),
    Classification(1472, "bot", archived=True),
)

# account, source type, whether the message is private
SOURCES = (
    ("Acme Outdoors", "Facebook Comment", False),
    ("Acme Outdoors", "Facebook Message", True),
    ("@acmeoutdoors", "Tweet", False),
    ("@acmeoutdoors", "Twitter Direct Message", True),
    ("acme.outdoors", "Instagram Comment", False),
    ("", "Email", True),
)

# username, full name
CUSTOMERS = (
    ("jane.r", "Jane Remington"),
    ("barry_b", "Barry Banana"),
    ("oconnor77", "Aoife O'Connor"),
    ("张伟", "张伟"),
    ("fatima.z", "فاطمة الزهراء"),
    ("smith;bob", 'Robert "Bob" Smith, Sr.'),
    ("kōwhai", "Kōwhai Ngata"),
    ("émilie", "Émilie Dûbois"),
    ("none", "None"),
    ("user_4411", ""),
    ("d'arcy", "D'Arcy Null"),
    ("sunny☀", "Sunny ☀️"),
)

CUSTOMER_TEXTS = (
    "Where is my order?",
    'The box said "fragile", yet it was crushed.',
    "Hello,\n\nthe tent leaks; the poles bend.\nPlease help.",
    "Line one\r\nLine two, from a phone",
    "Great service 👏👏",
    "=1+1 is not the price on your page",
    "¿Abren el domingo?",
    "NA",
    "I paid $1,299.00; it was charged twice, on 3/4 and 4/3.",
    "再入荷はいつですか?",
    "Refund please.",
    '"',
    "Is the +61 2 5550 0000 line closed?",
    "Love the new pack ❤️, where can I buy a second one?",
)

AGENT_TEXTS = (
    "Thanks for writing, we are on it.",
    "Sorry about that!\nCould you send us the order number?",
    'We have marked it as "priority"; you will hear from us today.',
    "It is back in stock on Monday 🎉",
    "A refund is on its way, 3 to 5 days.",
)

AGENT_NOTES = ("", "", "", "called back", "see case of last week; same order", 'customer says "twice"\nchecked: once')

CUSTOMER_NOTES = ("", "", "", "VIP", "prefers e-mail, not phone")

SURVEY_COMMENTS = (
    "",
    "Quick and kind.",
    "Took three days, and two agents.",
    'They said "tomorrow"; it was.',
    "Fine\nbut slow",
    "😀",
)
