//! The client's flow-control windows, so that a script's DATA can keep within them.

use std::collections::HashMap;

use super::frame::Frame;
use crate::wire::{kind, setting};

/// What may still be sent.
pub(super) struct Windows {
    connection: i64,
    initial: i64,
    /// What differs from `initial`, by stream.
    used: HashMap<u32, i64>,
}

impl Windows {
    pub(super) fn new() -> Self {
        // What holds until the client says otherwise (RFC 9113, section 6.9.2).
        Self {
            connection: 65_535,
            initial: 65_535,
            used: HashMap::new(),
        }
    }

    /// How many bytes of DATA may be sent on `stream`.
    pub(super) fn available(&self, stream: u32) -> usize {
        let used = self.used.get(&stream).copied().unwrap_or(0);
        usize::try_from((self.initial - used).min(self.connection)).unwrap_or(0)
    }

    /// Takes note of DATA sent, whether the windows allowed it or not.
    pub(super) fn send(&mut self, stream: u32, bytes: usize) {
        self.change(stream, -(bytes as i64));
        self.change(0, -(bytes as i64));
    }

    /// Takes in a frame that the client sent.
    pub(super) fn receive(&mut self, frame: &Frame) {
        if let Some(increment) = frame.increment() {
            self.change(frame.head.stream, increment.into());
        }
        if frame.is(kind::SETTINGS) {
            for (id, value) in frame.settings() {
                if id == setting::INITIAL_WINDOW_SIZE {
                    self.initial = value.into();
                }
            }
        }
    }

    fn change(&mut self, stream: u32, by: i64) {
        if stream == 0 {
            self.connection += by;
        } else {
            *self.used.entry(stream).or_default() -= by;
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;
    use crate::fault::frame;

    fn received(kind: u8, stream: u32, payload: &[u8]) -> Frame {
        let mut bytes = BytesMut::new();
        frame::put(&mut bytes, kind, 0, stream, payload);
        Frame::take(&mut bytes).unwrap()
    }

    fn update(stream: u32, by: u32) -> Frame {
        let mut payload = Vec::new();
        payload.put_u32(by);
        received(kind::WINDOW_UPDATE, stream, &payload)
    }

    #[test]
    fn the_smaller_of_the_two_windows_counts() {
        let mut windows = Windows::new();
        windows.send(1, 65_000);
        assert_eq!((windows.available(1), windows.available(3)), (535, 535));
        windows.receive(&update(0, 1_000));
        assert_eq!((windows.available(1), windows.available(3)), (535, 1_535));
        windows.receive(&update(1, 100_000));
        assert_eq!(windows.available(1), 1_535);
    }

    #[test]
    fn a_new_initial_window_holds_for_streams_under_way_and_may_take_them_below_zero() {
        let mut windows = Windows::new();
        windows.send(1, 1_000);
        let payload = frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 100)]);
        windows.receive(&received(kind::SETTINGS, 0, &payload));
        assert_eq!((windows.available(1), windows.available(3)), (0, 100));
        windows.receive(&update(1, 950));
        assert_eq!(windows.available(1), 50);
    }
}
