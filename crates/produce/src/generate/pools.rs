//! What the clickstream's values are drawn from.

pub(super) const COUNTRIES: &[&str] = &["US", "DE", "PK", "GB", "AE", "CA"];

/// City and region.
pub(super) const PLACES: &[(&str, &str)] = &[
    ("Karachi", "Sindh"),
    ("Lahore", "Punjab"),
    ("Berlin", "Berlin"),
    ("London", "England"),
    ("Dubai", "Dubai"),
    ("Toronto", "Ontario"),
    ("New York", "NY"),
    ("Munich", "Bavaria"),
];

/// Operating systems, each with its browsers.
type Systems = &'static [(&'static str, &'static [&'static str])];

/// Device type with the systems that run on it; each system with its browsers. Unlike in the reference no desktop runs
/// iOS and no Linux runs Safari.
pub(super) const DEVICES: &[(&str, Systems)] = &[
    (
        "desktop",
        &[
            ("Windows", &["Chrome", "Firefox", "Edge"]),
            ("macOS", &["Safari", "Chrome", "Firefox"]),
            ("Linux", &["Firefox", "Chrome"]),
        ],
    ),
    (
        "mobile",
        &[
            ("Android", &["Chrome", "Firefox", "Edge"]),
            ("iOS", &["Safari", "Chrome"]),
        ],
    ),
    (
        "tablet",
        &[
            ("Android", &["Chrome", "Firefox"]),
            ("iOS", &["Safari", "Chrome"]),
        ],
    ),
];

/// Source and medium.
pub(super) const CHANNELS: &[(&str, &str)] = &[
    ("google", "cpc"),
    ("twitter", "social"),
    ("newsletter", "email"),
    ("reddit", "social"),
    ("direct", "none"),
];

pub(super) const CAMPAIGNS: &[&str] = &[
    "winter_sale",
    "onboarding",
    "flash_deal",
    "content_push",
    "retargeting",
];

pub(super) const CONTENTS: &[&str] = &["banner_a", "banner_b", "cta_blue", "cta_orange"];

pub(super) const TERMS: &[&str] = &[
    "running_shoes",
    "laptop_deals",
    "phone_discount",
    "streaming_sql",
    "none",
];

/// Product id, its category and its page.
pub(super) const PRODUCTS: &[(&str, &str, &str)] = &[
    ("P-1001", "electronics", "/products/laptop"),
    ("P-1002", "electronics", "/products/phone"),
    ("P-2001", "apparel", "/products/shoes"),
    ("P-3001", "home", "/products/coffee-maker"),
];

/// Page and its category, without the products' pages.
pub(super) const PAGES: &[(&str, &str)] = &[
    ("/", "home"),
    ("/search", "search"),
    ("/blog/streaming", "blog"),
    ("/cart", "cart"),
    ("/checkout", "checkout"),
];

/// Pages on which a session begins.
pub(super) const LANDINGS: &[&str] = &["/", "/search", "/blog/streaming"];

pub(super) const BUTTONS: &[&str] = &["cta_add_to_cart", "cta_details", "cta_buy_now"];

pub(super) const REFERRERS: &[&str] = &[
    "https://search.example/results",
    "https://news.example/shopping",
    "https://deals.example/today",
    "https://forum.example/t/best-laptop",
    "https://blog.example/streaming-sql",
];

pub(super) const FIRST_NAMES: &[&str] = &[
    "Amina", "Anna", "Ben", "Carla", "Chen", "Dana", "Elif", "Emil", "Fatima", "Finn", "Grace",
    "Hana", "Ibrahim", "Ivy", "Jonas", "Kofi", "Lena", "Liam", "Maya", "Mehmet", "Nadia", "Noah",
    "Olga", "Omar", "Priya", "Quinn", "Rosa", "Sami", "Tara", "Uma", "Viktor", "Wei", "Yara",
    "Zoe",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Ahmed", "Bauer", "Brown", "Chaudhry", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Haddad",
    "Ito", "Jansen", "Khan", "Kim", "Lopez", "Malik", "Meyer", "Nguyen", "Okafor", "Patel",
    "Rahman", "Rossi", "Schmidt", "Silva", "Smith", "Tanaka", "Ueda", "Vogel", "Wang", "Young",
    "Zhang",
];
