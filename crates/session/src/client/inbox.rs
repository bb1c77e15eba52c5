//! The inbox: received messages that wait for the application. It outlives links.

use std::collections::VecDeque;

use undrop_frame::Message;

use crate::packet::Close;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InboxItem {
    Message(Message),
    /// Units that the gateway dropped, in their place among the messages.
    Gap {
        from: u64,
        to: u64,
    },
    Close(Close),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Inbox {
    items: VecDeque<InboxItem>,
    /// The number of items at the front that belong to an earlier session or to plain mode: they are not acked.
    uncounted: usize,
    bytes: usize,
}

impl Inbox {
    pub(super) fn push(&mut self, item: InboxItem) {
        self.bytes += cost(&item);
        self.items.push_back(item);
    }

    /// Removes the next item. Returns it, and whether it counts as units of the current session.
    pub(super) fn pop(&mut self) -> Option<(InboxItem, bool)> {
        let item = self.items.pop_front()?;
        self.bytes -= cost(&item);
        let counted = self.uncounted == 0;
        self.uncounted = self.uncounted.saturating_sub(1);
        Some((item, counted))
    }

    /// Marks all items as belonging to an earlier session, so that they are not acked.
    pub(super) fn uncount(&mut self) {
        self.uncounted = self.items.len();
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn has_close(&self) -> bool {
        matches!(self.items.back(), Some(InboxItem::Close(_)))
    }
}

fn cost(item: &InboxItem) -> usize {
    size_of::<InboxItem>() + if let InboxItem::Message(message) = item { message.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_an_earlier_session_do_not_count() {
        let mut inbox = Inbox::default();
        inbox.push(InboxItem::Message("a".into()));
        inbox.push(InboxItem::Message("b".into()));
        inbox.uncount();
        inbox.push(InboxItem::Message("c".into()));
        let counted: Vec<bool> = std::iter::from_fn(|| inbox.pop()).map(|(_, counted)| counted).collect();
        assert_eq!(counted, [false, false, true]);
        assert_eq!(inbox.bytes(), 0);
    }
}
