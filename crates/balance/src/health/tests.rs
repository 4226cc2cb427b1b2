use super::*;

/// Three failures, ten seconds.
const RULE: HealthRule = HealthRule { max_fails: 3, fail_timeout_ms: 10_000 };
const ONE: HealthRule = HealthRule { max_fails: 1, ..RULE };

fn failed(rule: HealthRule, times_ms: &[u64]) -> Health {
    let health = Health::default();
    for &now in times_ms {
        health.report(rule, Outcome::Failure, now);
    }
    health
}

#[test]
fn the_failure_that_reaches_the_limit_takes_it_out() {
    let health = failed(RULE, &[1_000, 1_001]);
    assert!(health.is_live(RULE, 1_001) && health.claim(RULE, 1_001));
    assert_eq!(health.report(RULE, Outcome::Failure, 1_002), Change::Ejected);
    assert!(!health.is_live(RULE, 1_002) && !health.claim(RULE, 1_002));
    // One that was under way already.
    assert_eq!(health.report(RULE, Outcome::Failure, 1_003), Change::None);
    assert_eq!(health.ejections(), 1);
}

#[test]
fn it_is_out_until_fail_timeout_has_passed_and_not_longer() {
    let health = failed(ONE, &[1_000]);
    assert!(!health.is_live(ONE, 1_000));
    assert!(!health.is_live(ONE, 11_000), "still out at exactly fail_timeout, as in nginx");
    assert!(health.is_live(ONE, 11_001));
    assert_eq!(health.ejected_until_ms(ONE), Some(11_001));
}

#[test]
fn one_request_tries_and_its_success_restores() {
    let health = failed(ONE, &[1_000]);
    assert!(health.claim(ONE, 11_001), "the first one tries");
    assert!(!health.is_live(ONE, 11_001) && !health.claim(ONE, 11_001), "the second doesn't");
    assert_eq!(health.report(ONE, Outcome::Success, 11_050), Change::Restored);
    assert!(health.is_live(ONE, 11_050));
    assert_eq!(health.fails(), 0);
}

#[test]
fn a_failed_try_keeps_it_out_as_long_again() {
    let health = failed(ONE, &[1_000]);
    assert!(health.claim(ONE, 11_001));
    assert_eq!(health.report(ONE, Outcome::Failure, 12_000), Change::None);
    assert!(!health.is_live(ONE, 22_000) && health.is_live(ONE, 22_001));
    assert_eq!(health.ejections(), 1, "out all the time is out once");
}

#[test]
fn a_try_without_outcome_is_repeated_after_another_fail_timeout() {
    let health = failed(ONE, &[1_000]);
    assert!(health.claim(ONE, 11_001));
    assert!(!health.is_live(ONE, 21_001) && health.is_live(ONE, 21_002));
}

#[test]
fn an_old_request_that_succeeds_does_not_restore() {
    let health = failed(ONE, &[1_000]);
    assert_eq!(health.report(ONE, Outcome::Success, 1_500), Change::None);
    assert!(!health.is_live(ONE, 1_500));
}

#[test]
fn a_success_forgives_only_after_fail_timeout_without_failure() {
    for (pick, fails) in [(11_000, 1), (11_001, 0)] {
        let health = failed(RULE, &[1_000]);
        assert!(health.claim(RULE, pick));
        health.report(RULE, Outcome::Success, pick);
        assert_eq!(health.fails(), fails, "picked at {pick}");
    }
}

#[test]
fn max_fails_zero_never_takes_it_out() {
    let rule = HealthRule { max_fails: 0, ..RULE };
    let health = failed(rule, &[1, 2, 3, 4]);
    assert!(health.is_live(rule, 4) && health.claim(rule, 4));
    assert_eq!((health.ejections(), health.ejected_until_ms(rule)), (0, None));
}

#[test]
fn a_clock_that_steps_back_keeps_it_out() {
    let health = failed(ONE, &[5_000]);
    assert!(!health.is_live(ONE, 0));
}
