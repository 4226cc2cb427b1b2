//! Users and groups by `/etc/passwd` and `/etc/group`, or by number.

/// A user to run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// As configured.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// Finds a user and the group, by default the user's own, in the texts of the two files.
///
/// # Errors
/// Which of them is unknown.
pub fn find(user: &str, group: Option<&str>, passwd: &str, groups: &str) -> Result<Identity, String> {
    let entry = rows(passwd).find(|row| row.first() == Some(&user));
    let (uid, own_gid) = match &entry {
        Some(row) => (number(row, 2), number(row, 3)),
        None => {
            let uid: Option<u32> = user.parse().ok();
            let own = rows(passwd).find(|row| uid.is_some() && number(row, 2) == uid);
            (uid, own.and_then(|row| number(&row, 3)))
        }
    };
    let uid = uid.ok_or_else(|| format!("user \"{user}\" is not in /etc/passwd"))?;
    let gid = match group {
        Some(group) => group_id(group, groups)?,
        None => own_gid.ok_or_else(|| format!("user {user} is not in /etc/passwd: name a `group` too"))?,
    };
    let mut all: Vec<u32> = rows(groups)
        .filter(|row| row.get(3).is_some_and(|members| members.split(',').any(|member| member == user)))
        .filter_map(|row| number(&row, 2))
        .chain([gid])
        .collect();
    all.sort_unstable();
    all.dedup();
    Ok(Identity { name: user.to_owned(), uid, gid, groups: all })
}

fn group_id(group: &str, groups: &str) -> Result<u32, String> {
    rows(groups)
        .find(|row| row.first() == Some(&group))
        .map_or_else(|| group.parse().ok(), |row| number(&row, 2))
        .ok_or_else(|| format!("group \"{group}\" is not in /etc/group"))
}

/// Lines of fields between colons.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(':').collect())
}

fn number(row: &[&str], at: usize) -> Option<u32> {
    row.get(at)?.parse().ok()
}

#[cfg(test)]
mod tests;
