use super::*;

#[test]
fn an_average_follows_and_fades() {
    let times = Times::default();
    assert_eq!(times.average_us(Measure::Header, 0), None);
    times.note(Measure::Header, 8_000, 0);
    assert_eq!(times.average_us(Measure::Header, 0), Some(8_000));
    times.note(Measure::Header, 16_000, 0);
    assert_eq!(times.average_us(Measure::Header, 9_999), Some(9_000));
    assert_eq!(times.average_us(Measure::Header, 10_000), Some(4_500));
    assert_eq!(times.average_us(Measure::Header, u64::MAX), Some(0));
    assert_eq!(times.average_us(Measure::LastByte, 0), None, "apart");
}
