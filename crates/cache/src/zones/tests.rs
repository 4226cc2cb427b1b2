use super::*;
use bifrons_config::units::Size;
use std::time::SystemTime;

fn on_disk(dir: &Path) -> ZoneConfig {
    ZoneConfig { path: Some(dir.to_str().unwrap().to_owned()), ..ZoneConfig::default() }
}

fn registry() -> Arc<Registry> {
    Registry::new(SystemTime::now())
}

#[test]
fn what_is_planned_changes_nothing_until_it_is_taken() {
    let (zones, names, registry) = (CacheZones::default(), Zones::default(), registry());
    let plan = |name: &str, config: &ZoneConfig| zones.plan(&registry, name, config).unwrap();
    let first = plan("main", &ZoneConfig::default());
    assert!(names.list_url(None, "example.com/").is_err(), "nobody finds it yet");
    zones.take(std::slice::from_ref(&first), &names);
    assert!(names.list_url(Some("main"), "example.com/").is_ok());

    let dropped = plan("other", &ZoneConfig::default());
    drop(dropped);
    assert!(names.list_url(Some("other"), "example.com/").is_err());
    assert!(Arc::ptr_eq(
        plan("main", &ZoneConfig { variants: 1, ..ZoneConfig::default() }).zone(),
        first.zone()
    ));
}

#[test]
fn a_zone_that_is_left_out_ends_with_its_last_user() {
    let dir = tempfile::tempdir().unwrap();
    let (zones, names, registry) = (CacheZones::default(), Zones::default(), registry());
    let planned = zones.plan(&registry, "main", &on_disk(dir.path())).unwrap();
    zones.take(std::slice::from_ref(&planned), &names);
    let used = planned.zone().clone();
    drop(planned);
    zones.take(&[], &names);
    assert!(names.list_url(None, "example.com/").is_err(), "it is in no configuration");
    let weak = Arc::downgrade(&used);
    let again = zones.plan(&registry, "main", &on_disk(dir.path())).unwrap();
    assert!(Arc::ptr_eq(again.zone(), &used), "as long as it lives the directory is its own");
    drop((again, used));
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_directory_under_another_name_has_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    let (zones, names, registry) = (CacheZones::default(), Zones::default(), registry());
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("store"), &link).unwrap();
    let old = zones.plan(&registry, "old", &on_disk(&dir.path().join("store"))).unwrap();
    zones.take(std::slice::from_ref(&old), &names);
    let config = ZoneConfig { memory: Size::mib(1), ..on_disk(&link) };
    let new = zones.plan(&registry, "new", &config).unwrap();
    assert!(Arc::ptr_eq(&old.zone().store, &new.zone().store));
    assert_eq!(&*old.zone().store.name(), "old", "it is not in force yet");
    zones.take(std::slice::from_ref(&new), &names);
    assert_eq!(&*new.zone().store.name(), "new");
    assert!(names.list_url(Some("old"), "example.com/").is_err());
    assert!(names.list_url(Some("new"), "example.com/").is_ok());
}
