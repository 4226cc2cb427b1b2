use super::*;
use proptest::prelude::*;

#[test]
fn sizes() {
    for (text, bytes, shown) in [
        ("0", 0, "0"),
        ("8192", 8192, "8k"),
        ("1000", 1000, "1000"),
        ("64k", 65536, "64k"),
        ("64K", 65536, "64k"),
        ("10m", 10 << 20, "10m"),
        ("10 MiB", 10 << 20, "10m"),
        ("10MB", 10 << 20, "10m"),
        ("1g", 1 << 30, "1g"),
        ("1024g", 1 << 40, "1t"),
        ("7b", 7, "7"),
    ] {
        let size: Size = text.parse().expect(text);
        assert_eq!((size.0, size.to_string().as_str()), (bytes, shown), "{text}");
    }
}

#[test]
fn wrong_sizes_name_the_value_and_an_example() {
    for text in ["", "k", "-1", "1.5g", "10x", "1k2", "ten", "1 k b"] {
        let error = text.parse::<Size>().expect_err(text);
        assert!(error.message.contains(&format!("{text:?}")) && error.help.contains("64k"), "{error:?}");
    }
    for text in ["18446744073709551616", "99999999999g"] {
        let error = text.parse::<Size>().expect_err(text);
        assert!(error.message.contains("too large"), "{error:?}");
    }
    assert_eq!("18446744073709551615".parse(), Ok(Size(u64::MAX)));
}

#[test]
fn durations() {
    for (text, millis, shown) in [
        ("0", 0, "0s"),
        ("60", 60_000, "1m"),
        ("60s", 60_000, "1m"),
        ("500ms", 500, "500ms"),
        ("1500ms", 1500, "1500ms"),
        ("1m30s", 90_000, "90s"),
        ("1m30", 90_000, "90s"),
        ("1h 30m", 5_400_000, "90m"),
        ("1H", 3_600_000, "1h"),
        ("1d", 86_400_000, "1d"),
        ("1w", 604_800_000, "1w"),
        ("1M", 30 * 86_400_000, "30d"),
        ("1y", 365 * 86_400_000, "365d"),
        ("1m1ms", 60_001, "60001ms"),
    ] {
        let dur: Dur = text.parse().expect(text);
        assert_eq!((dur.0.as_millis(), dur.to_string().as_str()), (millis, shown), "{text}");
    }
}

#[test]
fn wrong_durations_name_the_value_and_an_example() {
    for text in ["", "s", "-1s", "1.5s", "10x", "1s1m", "1s1s", "off", "1 fortnight", "30s5"] {
        let error = text.parse::<Dur>().expect_err(text);
        assert!(error.message.contains(&format!("{text:?}")) && error.help.contains("60s"), "{error:?}");
    }
    for text in ["18446744073709551616s", "18446744073709551615y", "18446744073709551615m"] {
        let error = text.parse::<Dur>().expect_err(text);
        assert!(error.message.contains("too large"), "{error:?}");
    }
}

#[test]
fn shares() {
    for (text, share, shown) in [
        ("0", 0.0, "0%"),
        ("1", 1.0, "100%"),
        ("5%", 0.05, "5%"),
        ("0.05", 0.05, "5%"),
        ("12.5 %", 0.125, "12.5%"),
        ("100%", 1.0, "100%"),
        ("0.0000001%", 0.000_000_001, "0.0000001%"),
    ] {
        let ratio: Ratio = text.parse().expect(text);
        assert_eq!((ratio.as_f64(), ratio.to_string().as_str()), (share, shown), "{text}");
    }
    for text in ["", "%", "5.", ".5", "-1%", "five", "1e-3", "101%", "1.1", "50", "0.00000000001"] {
        let error = text.parse::<Ratio>().expect_err(text);
        assert!(error.message.contains(&format!("{text:?}")), "{error:?}");
    }
    assert_eq!(Ratio::percent(5), "5%".parse().expect("share"));
}

#[test]
fn serde_takes_text_and_numbers() {
    let read: (Size, Size, Dur, Dur, Ratio, Ratio) =
        serde_json::from_str(r#"["64k", 8192, "90s", 5, "5%", 0.25]"#).expect("values");
    let text = serde_json::to_string(&read).expect("json");
    assert_eq!(text, r#"["64k","8k","90s","5s","5%","25%"]"#);
    let error = serde_json::from_str::<Dur>("-5").expect_err("negative").to_string();
    assert!(error.starts_with("\"-5\" is not a duration\nhelp: "), "{error}");
    assert!(serde_json::from_str::<Size>("1.5").is_err());
    assert!(serde_json::from_str::<Size>("[]").expect_err("list").to_string().contains("a size such as 64k"));
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(bytes: u64, secs: u64, nanos in 0..BILLION, billionths in 0..=BILLION) {
        prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        let ratio = Ratio { billionths };
        prop_assert_eq!(ratio.to_string().parse(), Ok(ratio));
        // Nanoseconds of the longest times do not fit the 64 bits that one number may have.
        for dur in [Dur(Duration::new(secs >> 32, nanos)), Dur::secs(secs)] {
            prop_assert_eq!(dur.to_string().parse(), Ok(dur));
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,12}|[0-9]{0,25}[a-zA-Z% .]{0,3}[0-9]{0,25}[a-z]{0,2}") {
        let _ = text.parse::<Size>();
        let _ = text.parse::<Dur>();
        let _ = text.parse::<Ratio>();
    }
}
