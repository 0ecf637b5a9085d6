//! The funnel by plain sets, from the messages themselves: a second route to the numbers of the model `funnel`.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

/// One window's numbers; rates in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub viewers: u64,
    pub carters: u64,
    pub purchasers: u64,
    pub view_to_cart: u64,
    pub cart_to_buy: u64,
}

/// Windows by their first minute, `2026-02-14 12:00`.
pub type Funnel = BTreeMap<String, Counts>;

type Users = BTreeMap<String, HashSet<i64>>;

/// The users of each minute of event time.
fn users(messages: &[Value]) -> Users {
    let mut users = Users::new();
    for message in messages {
        let user = message["user_id"].as_i64().expect("a message has a user");
        let time = message["event_time"]
            .as_str()
            .expect("a message has a time");
        // `YYYY-MM-DD HH:MM`: a window of a minute is the part of the time before the seconds.
        users.entry(time[..16].to_owned()).or_default().insert(user);
    }
    users
}

/// Two decimals, half away from zero; 0 where there is no whole.
fn hundredths(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    (part * 200 + whole) / (2 * whole)
}

/// Who viewed, who of them put something into a cart, who of them bought, in the same minute.
pub fn compute(views: &[Value], carts: &[Value], purchases: &[Value]) -> Funnel {
    let (carts, purchases) = (users(carts), users(purchases));
    let also = |of: &Users, minute: &str, viewers: &HashSet<i64>| {
        let found = of.get(minute);
        found.map_or(0, |users| viewers.intersection(users).count() as u64)
    };
    let windows = users(views).into_iter().map(|(minute, viewers)| {
        let carters = also(&carts, &minute, &viewers);
        let purchasers = also(&purchases, &minute, &viewers);
        let viewers = viewers.len() as u64;
        let counts = Counts {
            viewers,
            carters,
            purchasers,
            view_to_cart: hundredths(carters, viewers),
            cart_to_buy: hundredths(purchasers, carters),
        };
        (minute, counts)
    });
    windows.collect()
}

/// What `rwt funnel --output json` printed.
pub fn printed(document: &Value) -> Funnel {
    let windows = document["windows"]
        .as_array()
        .expect("the document has windows");
    let mut funnel = Funnel::new();
    for window in windows {
        let number = |name: &str| window[name].as_u64().expect("a stage is a number");
        let rate = |name: &str| {
            let rate = window[name].as_f64().expect("a rate is a number");
            let hundredths = (rate * 100.0).round();
            assert!(
                (rate - hundredths / 100.0).abs() < 1e-12,
                "{rate} has more than two decimals"
            );
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "rates are small and positive"
            )]
            let hundredths = hundredths as u64;
            hundredths
        };
        let minute = |name: &str| {
            let instant = window[name].as_str().expect("a window has an end");
            assert!(
                instant.ends_with(":00") && instant.len() == 19,
                "{instant} is no full minute"
            );
            instant[..16].replace('T', " ")
        };
        let start = minute("window_start");
        assert_eq!(minute("window_end"), next(&start));
        let counts = Counts {
            viewers: number("viewers"),
            carters: number("carters"),
            purchasers: number("purchasers"),
            view_to_cart: rate("view_to_cart_rate"),
            cart_to_buy: rate("cart_to_buy_rate"),
        };
        assert!(
            funnel.insert(start, counts).is_none(),
            "a window comes twice"
        );
    }
    funnel
}

/// The minute after this one.
fn next(minute: &str) -> String {
    const FORMAT: &str = "%Y-%m-%d %H:%M";
    let start = chrono::NaiveDateTime::parse_from_str(minute, FORMAT).expect("a minute");
    (start + chrono::TimeDelta::minutes(1))
        .format(FORMAT)
        .to_string()
}
