use super::*;

/// How long `want` bytes take, by a clock of our own.
fn time_for(pacer: &mut Pacer, mut want: usize) -> f64 {
    let began = Instant::now();
    let mut now = began;
    while want > 0 {
        match pacer.grant(now, want) {
            Ok(len) => {
                pacer.pass(len);
                want -= len;
            }
            Err(wait) => now += wait,
        }
    }
    (now - began).as_secs_f64()
}

#[test]
fn a_quarter_goes_at_once_and_the_rest_at_the_rate() {
    assert!(time_for(&mut Pacer::new(1000, 0), 250) == 0.0);
    let took = time_for(&mut Pacer::new(1000, 0), 4000);
    assert!((3.74..3.8).contains(&took), "{took}");
}

#[test]
fn what_goes_before_the_limit_is_free() {
    let mut pacer = Pacer::new(10, 1_000_000);
    assert!(pacer.is_free(1_000_002) && !pacer.is_free(1_000_003));
    assert!(time_for(&mut pacer, 1_000_002) == 0.0);
    assert!(pacer.grant(pacer.began.unwrap(), 1).is_err());
}

#[test]
fn the_slowest_rate_still_moves_and_no_rate_overflows() {
    let took = time_for(&mut Pacer::new(1, 0), 4);
    assert!((3.74..4.1).contains(&took), "{took}");
    assert!(time_for(&mut Pacer::new(u64::MAX, u64::MAX), usize::MAX) == 0.0);
}

#[test]
fn a_paced_body_comes_whole_and_in_order() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let whole: Vec<u8> = (0..40_000u32).map(|at| (at % 251) as u8).collect();
        let mut body = Paced::new(Body::Full(whole.clone().into()), Pacer::new(30_000, 0));
        assert_eq!(body.length(), Some(40_000));
        let (began, mut got) = (Instant::now(), Vec::new());
        while let Some(piece) = std::future::poll_fn(|cx| body.poll_next(cx)).await.unwrap() {
            got.extend_from_slice(&piece);
            assert_eq!(body.length(), Some(40_000 - got.len() as u64));
        }
        assert!(got == whole && began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    });
}
