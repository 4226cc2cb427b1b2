use super::*;

#[test]
fn the_check_value_of_the_standard() {
    assert_eq!(Crc::new().and(b"123456789").sum(), 0xcbf4_3926);
    assert_eq!(Crc::new().and(b"1234").and(b"").and(b"56789").sum(), 0xcbf4_3926, "in pieces");
    assert_eq!(Crc::new().sum(), 0);
}
