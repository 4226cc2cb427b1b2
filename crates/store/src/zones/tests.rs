use super::*;
use crate::testing::{find, store};
use crate::{Mode, Scope};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn purges_reach_the_zones_they_name_and_are_told_to_others() {
    let zones = Zones::default();
    let purge =
        |zone: Option<&str>| Purge { zone: zone.map(str::to_owned), what: Scope::All, mode: Mode::Hard };
    assert_eq!(zones.purge(&purge(None)), Err(ZonesError::Nothing));
    let told = Arc::new(AtomicUsize::new(0));
    zones.on_purge({
        let told = Arc::clone(&told);
        move |_| {
            told.fetch_add(1, Ordering::Relaxed);
        }
    });
    let (first, second) = (
        zones.open("first", &ZoneConfig::default()).unwrap(),
        zones.open("second", &ZoneConfig::default()).unwrap(),
    );
    for zone in [&first, &second] {
        store(zone, "/a", b"x");
    }
    assert_eq!(zones.list_url(None, "example.com/a").unwrap().len(), 2);
    assert_eq!(zones.apply(&purge(Some("first"))), Ok(1));
    assert_eq!((find(&first, "/a").is_some(), find(&second, "/a").is_some()), (false, true));
    assert_eq!(told.load(Ordering::Relaxed), 0);
    assert_eq!(zones.purge(&purge(None)), Ok(2));
    assert_eq!((find(&second, "/a").is_some(), told.load(Ordering::Relaxed)), (false, 1));
    let unknown = zones.purge(&purge(Some("third"))).unwrap_err().to_string();
    assert_eq!(unknown, "there is no cache \"third\"; there is first, second");
    drop(first);
    assert_eq!(zones.purge(&purge(None)), Ok(1));
}

#[test]
fn zones_that_left_the_configuration_are_purged_as_long_as_somebody_uses_them() {
    let zones = Zones::default();
    let (first, second) =
        (Zone::open("first", &ZoneConfig::default()), Zone::open("second", &ZoneConfig::default()));
    let (first, second) = (first.unwrap(), second.unwrap());
    zones.set([("first", &first)].into_iter());
    zones.set([("second", &second)].into_iter());
    store(&first, "/a", b"x");
    let all = Purge { zone: None, what: Scope::All, mode: Mode::Hard };
    assert_eq!(zones.purge(&all), Ok(1), "it is not one of the configuration's");
    assert!(find(&first, "/a").is_none());
    // Under another name it is the same store.
    zones.set([("third", &first)].into_iter());
    store(&first, "/a", b"x");
    assert_eq!(zones.list_url(None, "example.com/a").unwrap()[0].0, "third");
    let named = Purge { zone: Some("second".to_owned()), ..all };
    assert!(zones.purge(&named).is_err() && find(&first, "/a").is_some());
}
