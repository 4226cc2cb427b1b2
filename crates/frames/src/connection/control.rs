//! Frames that carry neither fields nor bodies (RFC 9113 6.3-6.9).

use super::streams::{Key, Reset};
use super::{Connection, Event, FAREWELL, Farewell};
use crate::frame::{self, Fault, Header, PAYLOAD_MAX, Reason, WINDOW_FIRST, WINDOW_MAX, flag, kind, setting};

impl<T> Connection<T> {
    pub(super) fn control(
        &mut self,
        header: Header,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Event, Fault> {
        match header.kind {
            kind::PRIORITY => self.priority(header, payload, out),
            kind::RST_STREAM => self.reset_by_client(header, payload),
            kind::SETTINGS => self.settings(header, payload, out),
            kind::PING => self.ping(header, payload, out),
            kind::GOAWAY if header.stream != 0 => Err(Fault::protocol("GOAWAY on a stream")),
            kind::GOAWAY if payload.len() < 8 => Err(Fault::size("GOAWAY too short")),
            kind::GOAWAY => Ok(Event::Leaving),
            kind::WINDOW_UPDATE => self.window_update(header, payload, out),
            // RFC 9113 5.5.
            _ => Ok(Event::Nothing),
        }
    }

    /// Priorities are made nothing of, but must be well-formed (RFC 9113 6.3).
    fn priority(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<Event, Fault> {
        let id = header.stream;
        if id == 0 {
            return Err(Fault::protocol("PRIORITY on stream 0"));
        }
        let key = self.streams.find(id);
        match (key, payload.len()) {
            (Some(key), 5) if frame::number(payload).is_some_and(|on| on & (u32::MAX >> 1) == id) => {
                self.break_off(key, Reason::PROTOCOL_ERROR, out)
            }
            (_, 5) => Ok(Event::Nothing),
            (Some(key), _) => self.break_off(key, Reason::FRAME_SIZE_ERROR, out),
            (None, _) => Err(Fault::size("PRIORITY that has not five bytes")),
        }
    }

    fn reset_by_client(&mut self, header: Header, payload: &[u8]) -> Result<Event, Fault> {
        let reason = frame::number(payload).filter(|_| payload.len() == 4);
        let reason = reason.ok_or(Fault::size("RST_STREAM that has not four bytes"))?;
        if header.stream == 0 || self.is_idle(header.stream) {
            return Err(Fault::protocol("RST_STREAM on an idle stream"));
        }
        let Some(key) = self.streams.find(header.stream) else { return Ok(Event::Nothing) };
        if let Some(stream) = self.streams.get_mut(key) {
            stream.reset = Some(Reset::ByClient(Reason(reason)));
        }
        self.streams.settle(key);
        Ok(Event::Reset(key))
    }

    fn ping(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<Event, Fault> {
        if header.stream != 0 {
            return Err(Fault::protocol("PING on a stream"));
        }
        if payload.len() != FAREWELL.len() {
            return Err(Fault::size("PING that has not eight bytes"));
        }
        if !header.has(flag::ACK) {
            frame::write(out, kind::PING, flag::ACK, 0, payload);
        } else if self.farewell == Farewell::Announced && payload == FAREWELL {
            self.farewell = Farewell::Said(self.id_max);
            frame::write_goaway(out, self.id_max, Reason::NO_ERROR);
        }
        Ok(Event::Nothing)
    }

    fn window_update(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<Event, Fault> {
        let more = frame::number(payload).filter(|_| payload.len() == 4);
        let more = more.ok_or(Fault::size("WINDOW_UPDATE that has not four bytes"))? & (u32::MAX >> 1);
        if header.stream == 0 {
            self.send_window += i64::from(more);
            return match more {
                0 => Err(Fault::protocol("a connection's window that grows by nothing")),
                _ if self.send_window > WINDOW_MAX => {
                    Err(Fault::of(Reason::FLOW_CONTROL_ERROR, "a connection's window too large"))
                }
                _ => Ok(Event::Room),
            };
        }
        if self.is_idle(header.stream) {
            return Err(Fault::protocol("WINDOW_UPDATE on an idle stream"));
        }
        let Some(key) = self.streams.find(header.stream) else { return Ok(Event::Nothing) };
        let Some(stream) = self.streams.get_mut(key) else { return Ok(Event::Nothing) };
        stream.send_window += i64::from(more);
        match more {
            0 => self.break_off(key, Reason::PROTOCOL_ERROR, out),
            _ if stream.send_window > WINDOW_MAX => self.break_off(key, Reason::FLOW_CONTROL_ERROR, out),
            _ => Ok(Event::StreamRoom(key)),
        }
    }

    fn settings(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> Result<Event, Fault> {
        if header.stream != 0 {
            return Err(Fault::protocol("SETTINGS on a stream"));
        }
        if header.has(flag::ACK) {
            if !payload.is_empty() {
                return Err(Fault::size("an acknowledgement with settings"));
            }
            self.acknowledged();
            return Ok(Event::Nothing);
        }
        let (settings, []) = payload.as_chunks::<6>() else {
            return Err(Fault::size("SETTINGS that are no multiple of six bytes"));
        };
        for [a, b, value @ ..] in settings {
            self.setting(u16::from_be_bytes([*a, *b]), u32::from_be_bytes(*value))?;
        }
        frame::write(out, kind::SETTINGS, flag::ACK, 0, b"");
        Ok(Event::Room)
    }

    /// One of the client's settings (RFC 9113 6.5.2).
    fn setting(&mut self, id: u16, value: u32) -> Result<(), Fault> {
        match id {
            setting::HEADER_TABLE_SIZE => self.encoder.set_max(value as usize),
            setting::ENABLE_PUSH if value > 1 => return Err(Fault::protocol("ENABLE_PUSH that is no bit")),
            setting::ENABLE_CONNECT_PROTOCOL if value > 1 => {
                return Err(Fault::protocol("ENABLE_CONNECT_PROTOCOL that is no bit"));
            }
            setting::INITIAL_WINDOW_SIZE => {
                let first = i64::from(value);
                if first > WINDOW_MAX {
                    return Err(Fault::of(Reason::FLOW_CONTROL_ERROR, "a first window too large"));
                }
                // RFC 9113 6.9.2: windows of streams change by the difference, below zero if need be.
                let more = first - self.send_first;
                self.send_first = first;
                return self.change_windows(more);
            }
            setting::MAX_FRAME_SIZE if !(PAYLOAD_MAX as u32..1 << 24).contains(&value) => {
                return Err(Fault::protocol("MAX_FRAME_SIZE out of its range"));
            }
            // Nothing is pushed, frames stay small, and how large heads may be the client only advises.
            _ => {}
        }
        Ok(())
    }

    fn change_windows(&mut self, more: i64) -> Result<(), Fault> {
        let keys: Vec<Key> = self.streams.keys().collect();
        for key in keys {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            stream.send_window += more;
            if stream.send_window > WINDOW_MAX {
                return Err(Fault::of(Reason::FLOW_CONTROL_ERROR, "a stream's window too large"));
            }
        }
        Ok(())
    }

    /// From here on the client keeps to our settings.
    fn acknowledged(&mut self) {
        if std::mem::replace(&mut self.is_acknowledged, true) {
            return;
        }
        let more = i64::from(self.config.stream_window) - WINDOW_FIRST;
        let keys: Vec<Key> = self.streams.keys().collect();
        for key in keys {
            if let Some(stream) = self.streams.get_mut(key) {
                stream.recv_window += more;
            }
        }
    }
}
