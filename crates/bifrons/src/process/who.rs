//! Who has a port, for the message that it is taken. Reads `/proc`; without the right to look, nobody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The process that listens on an address that overlaps `addr`: `nginx (process 123)`.
pub fn listens_on(addr: SocketAddr) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let inode = tables.iter().find_map(|table| inode_in(&std::fs::read_to_string(table).ok()?, addr))?;
    owner(&format!("socket:[{inode}]"))
}

/// The inode of the listening socket in the text of `/proc/net/tcp` (or `tcp6`) that overlaps the address.
fn inode_in(table: &str, addr: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // 0A: TCP_LISTEN.
        let [_, local, _, "0A", ..] = fields.as_slice() else { return None };
        let bound = parse(local)?;
        let any = bound.ip().is_unspecified() || addr.ip().is_unspecified();
        let overlaps =
            bound.port() == addr.port() && (any || bound.ip().to_canonical() == addr.ip().to_canonical());
        if overlaps { fields.get(9)?.parse().ok() } else { None }
    })
}

/// `0100007F:1F90`: the address in words of the machine's own byte order, the port in hexadecimal.
fn parse(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = if ip.len() == 8 {
        Ipv4Addr::from(word(0)?).into()
    } else {
        let words = [word(0)?, word(1)?, word(2)?, word(3)?];
        let bytes: [u8; 16] = words.concat().try_into().ok()?;
        Ipv6Addr::from(bytes).into()
    };
    Some(SocketAddr::new(ip, port))
}

/// The process that has a descriptor with that link.
fn owner(link: &str) -> Option<String> {
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let pid = process.file_name().to_string_lossy().into_owned();
        if !pid.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(fds) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let has =
            fds.flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == link));
        if has {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}

#[cfg(test)]
mod tests;
