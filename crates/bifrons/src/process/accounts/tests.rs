use super::*;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n";
const GROUPS: &str = "root:x:0:\nwww-data:x:33:\nssl-cert:x:110:postgres,www-data\nlogs:x:200:other\n";

#[test]
fn a_user_comes_with_group_and_supplementary_groups() {
    let identity = find("www-data", None, PASSWD, GROUPS).unwrap();
    assert_eq!((identity.uid, identity.gid, identity.groups), (33, 33, vec![33, 110]));
    assert_eq!(find("www-data", Some("logs"), PASSWD, GROUPS).unwrap().gid, 200);
}

#[test]
fn numbers_will_do() {
    assert_eq!(find("33", None, PASSWD, GROUPS).unwrap().gid, 33);
    assert_eq!(find("1234", Some("5678"), PASSWD, GROUPS).unwrap().groups, [5678]);
    assert!(find("1234", None, PASSWD, GROUPS).unwrap_err().contains("`group`"));
}

#[test]
fn the_unknown_is_named() {
    assert_eq!(find("nobdy", None, PASSWD, GROUPS).unwrap_err(), "user \"nobdy\" is not in /etc/passwd");
    assert!(find("root", Some("wheel"), PASSWD, GROUPS).unwrap_err().contains("\"wheel\""));
}
