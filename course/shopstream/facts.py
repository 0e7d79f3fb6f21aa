"""The facts of the shop: how much there is of everything, when the sale is, and what everyone and everything is called.

Change a number here and the whole data set follows; the test that pins its SHA-256 will tell.
"""

from datetime import UTC, datetime, timedelta

SEED = 7
USERS = 400
EVENTS = 12_000
FIRST_DAY = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 30

# The planted traps. `shop.traps` says where each one ended up.
EXAMPLE_USER = "u17"  # whom the chapters' examples load: neither busy nor silent
CELEBRITY = "u23"  # makes the most events, and most people follow them
HEAVY_USER = "u142"  # a browser plug-in sends the text of the whole page with each of this user's events
PAGE_TEXT_LENGTH = 8_000  # characters of that text, which takes the user's events over 1 MB
FLASH_SALE_START = datetime(2026, 6, 19, 12, tzinfo=UTC)  # a Friday
FLASH_SALE_LENGTH = timedelta(hours=2)
FLASH_SALE_PRODUCT = "p7"
FLASH_SALE_SESSIONS = 600
FLASH_SALE_PERCENT_OFF = 40
SAME_MILLISECOND_PAIRS = 12
MIDNIGHT = datetime(2026, 6, 10, tzinfo=UTC)  # one event at this very moment, one a millisecond before
RING = ("u391", "u392", "u393", "u394", "u395")  # follow each other in a circle, and nobody else
DUPLICATE_DELIVERIES = EVENTS * 5 // 100
LATE_EVENTS = EVENTS * 2 // 100
LATE_AFTER = timedelta(hours=1)  # an event that arrives this much after it happened is late

# Sessions started in each hour of the day (UTC), relative to each other: quiet nights, busy evenings.
HOUR_WEIGHTS = (3, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 11, 10, 10, 11, 13, 16, 19, 20, 17, 11, 6)
DEVICES = ("phone", "phone", "phone", "laptop", "laptop", "tablet")
REFERRERS = ("search", "search", "home", "newsletter", "friend")
PAYMENTS = ("card", "card", "transfer", "voucher")
REASONS = ("too small", "changed my mind", "arrived late", "a present they already had")

FIRST_NAMES = """
    Amara Anders Aylin Beatriz Bram Camille Chidi Dalia Emeka Esra Farid Freya Giulia Hana Ibrahim Ines Jonas
    Kaito Kavya Lars Leilani Liam Lucia Mateo Mei Milan Nadia Nia Noor Olga Paolo Priya Rafael Rania Sanna
    Soren Tariq Thandi Viktor Yuki
"""
LAST_NAMES = """
    Abara Adeyemi Almeida Andersson Bakker Banerjee Berger Bianchi Castillo Chen Cohen Costa Demir Dubois
    Eriksen Farouk Fischer Garcia Haddad Horvat Ito Jansen Kamau Kaya Kim Kowalski Larsen Mbeki Mendes
    Moreau Nakamura Nguyen Novak Okafor Patel Rossi Silva Tanaka Virtanen Zhang
"""
CITIES = """
    Accra Amsterdam Athens Bilbao Bogotá Busan Casablanca Dakar Dublin Ghent Hanoi Helsinki İzmir Jaipur
    Kraków Kyoto Lagos Lima Malmö Mombasa Montréal Naples Oslo Porto Quito Rīga Turin València Vienna
    Zagreb
"""

# Ten categories: lowest and highest price in cents, materials, and twelve things.
CATALOGUE = {
    "kitchen": (
        (600, 6_000),
        "Copper Enamel Oak",
        "Ladle Kettle Colander Whisk Skillet Teapot Grater Saucepan Breadboard Peppermill Jug Sieve",
    ),
    "garden": (
        (400, 5_000),
        "Cedar Zinc Terracotta",
        "Planter Trowel Birdhouse Wheelbarrow Trellis Bench Bucket Dibber Windchime Sundial Rake Cloche",
    ),
    "stationery": (
        (200, 3_000),
        "Cotton Ruled Marbled",
        "Notebook Envelope Sketchbook Calendar Folder Postcard Planner Journal Notepad Album Bookmark Card",
    ),
    "music": (
        (900, 30_000),
        "Maple Brass Walnut",
        "Ukulele Kalimba Tambourine Recorder Metronome Harmonica Bongo Triangle Marimba Ocarina Zither Cajón",
    ),
    "camping": (
        (800, 20_000),
        "Alpine Featherlight Canvas",
        "Tent Hammock Stove Rucksack Lamp Flask Tarp Cot Mess-Tin Compass Blanket Stool",
    ),
    "toys": (
        (500, 4_500),
        "Wooden Felt Painted",
        "Train Puzzle Kite Spinning-Top Marble-Run Puppet Abacus Boat Bear Blocks Yo-Yo Drum",
    ),
    "lighting": (
        (1_500, 15_000),
        "Paper Glass Linen",
        "Pendant Desk-Lamp Nightlight Floor-Lamp Candle Garland Sconce Bulb Shade Lightbox Torch Lantern",
    ),
    "textiles": (
        (700, 9_000),
        "Wool Linen Quilted",
        "Apron Scarf Cushion Throw Napkin Curtain Rug Towel Tablecloth Bedspread Mitten Poncho",
    ),
    "tea": (
        (350, 2_500),
        "Jasmine Ginger Smoky",
        "Oolong Sencha Assam Rooibos Chai Matcha Darjeeling Mint-Leaf Keemun Ceylon Hojicha Verbena",
    ),
    "bicycle": (
        (500, 12_000),
        "Reflective Leather Steel",
        "Saddle Bell Pannier Basket Pump Helmet Mudguard Lock Bottle Chain-Guard Handlebar Rack",
    ),
}
