//! The messages between this program and Python, as `docs/protocol.md` describes them: all of one size, and each in one
//! packet.

/// The version of the protocol. Python greets with it.
pub const VERSION: u16 = 1;

/// What each message begins with: the letters `PMAP`, as a little-endian number.
const MAGIC: u32 = 0x5041_4d50;

/// The length of a message in bytes.
pub const LENGTH: usize = 16 + 8 * VALUES;
const VALUES: usize = 8;

/// The kinds of messages, in both directions. The worker sends the requests `Open` and `Map`, and Python answers each
/// of them with another kind of message. Only `Hello` is sent by Python without a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Python has started. Value: its version, as `sys.hexversion` has it.
    Hello = 1,
    /// Import the function. Values: offset and length of the text of settings in the memory.
    Open = 2,
    /// The function is imported. Values: offset and length of the text that describes it.
    Opened = 3,
    /// The function cannot be imported. Values: offset and length of the text of the message.
    Failed = 4,
    /// Map rows. Values: the number of rows, the number of columns, and the offset and length of the bytes
    /// in which all columns are.
    Map = 5,
    /// Rows are mapped. Values: the fields of [`Mapped`].
    Mapped = 6,
}

/// A message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// What kind of message it is.
    pub kind: Kind,
    /// The number of the request. An answer has the number of the request that it answers.
    pub number: u64,
    /// The values. Their meaning depends on the kind.
    pub values: [u64; VALUES],
}

impl Message {
    /// Makes a message whose values are `first`, followed by zeros.
    pub fn new<const N: usize>(kind: Kind, number: u64, first: [u64; N]) -> Self {
        let values = std::array::from_fn(|at| first.get(at).copied().unwrap_or(0));
        Message { kind, number, values }
    }

    /// Returns the bytes of the message.
    pub fn bytes(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&(self.kind as u16).to_le_bytes());
        bytes[8..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..].copy_from_slice(self.values.map(u64::to_le_bytes).as_flattened());
        bytes
    }

    /// Returns the message of these bytes.
    ///
    /// # Errors
    /// If they are not a message of this version: a description of what they are.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        if bytes.len() != LENGTH || !rest.is_empty() || !bytes.starts_with(&MAGIC.to_le_bytes()) {
            return Err(format!("{} bytes that are no message", bytes.len()));
        }
        let version = u16::from_le_bytes([bytes[4], bytes[5]]);
        if version != VERSION {
            return Err(format!("a message of version {version}, where {VERSION} is expected"));
        }
        let kinds = [Kind::Hello, Kind::Open, Kind::Opened, Kind::Failed, Kind::Map, Kind::Mapped];
        let number = u16::from_le_bytes([bytes[6], bytes[7]]);
        let kind = kinds.into_iter().find(|&kind| kind as u16 == number);
        let kind = kind.ok_or_else(|| format!("a message of kind {number}, which there is not"))?;
        let number = |at: usize| u64::from_le_bytes(numbers[at]);
        Ok(Message { kind, number: number(1), values: std::array::from_fn(|at| number(2 + at)) })
    }
}

/// What Python says of rows that it has mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mapped {
    /// How many rows are done, from the first.
    pub done: u64,
    /// How many columns of results there are.
    pub columns: u64,
    /// The offset of the results in the memory.
    pub offset: u64,
    /// The length of the results in bytes, all columns and bad rows together.
    pub length: u64,
    /// How many of the rows are bad.
    pub faults: u64,
    /// The offset of the list of bad rows within the results.
    pub told: u64,
    /// How many nanoseconds of processor time the function took.
    pub in_function: u64,
    /// How many nanoseconds Python took in all.
    pub in_all: u64,
}

impl From<[u64; VALUES]> for Mapped {
    fn from([done, columns, offset, length, faults, told, in_function, in_all]: [u64; VALUES]) -> Self {
        Mapped { done, columns, offset, length, faults, told, in_function, in_all }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_and_nonsense_does_not() {
        let message = Message::new(Kind::Mapped, 7, [1, u64::MAX]);
        assert_eq!(Message::from_bytes(&message.bytes()), Ok(message));
        assert_eq!(Mapped::from(message.values).columns, u64::MAX);
        let broken = |at: usize| {
            let mut bytes = message.bytes();
            bytes[at] ^= 0x80;
            Message::from_bytes(&bytes)
        };
        assert!(broken(0).unwrap_err().contains("no message"));
        assert!(broken(4).unwrap_err().contains("version 129"));
        assert!(broken(6).unwrap_err().contains("kind 134"));
        assert!(Message::from_bytes(&message.bytes()[1..]).is_err() && Message::from_bytes(&[]).is_err());
    }
}
