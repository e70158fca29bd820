//! The head of a block: the bytes in front of a block's rows, in the same slot. The head tells the workers what can
//! differ from one input to the next: which columns to read, how many fields a row must have, and what the columns are
//! called.

use super::columns::Columns;

/// The contents of a block's head.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Number of fields that every row must have, as given by the header or the first row. `None`: neither decides it.
    pub fields: Option<usize>,
    /// Positions, from 0, of the columns that are the kernel's input. `None`: all columns are.
    pub columns: Option<Vec<usize>>,
    /// The row of names, without its line end. Empty if there is none, or if the workers do not need it.
    pub header: Vec<u8>,
}

/// A number of the head, little-endian. The head has these numbers, in this order: `fields` (0 for `None`); the number
/// of chosen columns; the position of each chosen column; the length of the header. The bytes of the header follow.
type Word = [u8; 4];

impl Head {
    /// The most bytes that a header may have if it is passed to workers.
    pub const MOST_HEADER: usize = 64 << 10;

    /// Returns the size of the head in bytes, given the chosen `columns`, whether rows are printed with their results
    /// (`append`), and whether the header is passed to the workers (`header`). If none of these is asked for, the size
    /// is 0, because there is nothing to tell the workers.
    pub fn size(columns: Option<&Columns>, append: bool, header: bool) -> usize {
        let columns = columns.map_or(0, Columns::count);
        let room = if header { Head::MOST_HEADER } else { 0 };
        if columns == 0 && !append && !header { 0 } else { size_of::<Word>() * (3 + columns) + room }
    }

    /// Returns the number by which messages name the field that the kernel receives at index `field`, from 0. It is the
    /// position of the field in the row, from 1.
    pub fn number(&self, field: usize) -> usize {
        1 + self.columns.as_ref().and_then(|columns| columns.get(field).copied()).unwrap_or(field)
    }

    /// Writes the head to the front of `bytes`. Whatever does not fit is left out.
    pub fn write(&self, bytes: &mut [u8]) {
        let columns = self.columns.as_deref().unwrap_or_default();
        let counts = [self.fields.unwrap_or(0), columns.len()].into_iter();
        let numbers = counts.chain(columns.iter().copied()).chain([self.header.len()]);
        let (words, _) = bytes.as_chunks_mut::<{ size_of::<Word>() }>();
        for (word, number) in words.iter_mut().zip(numbers) {
            *word = (number as u32).to_le_bytes();
        }
        let room = bytes.get_mut(size_of::<Word>() * (3 + columns.len())..).unwrap_or_default();
        let length = room.len().min(self.header.len());
        room[..length].copy_from_slice(&self.header[..length]);
    }

    /// Returns the head that [`write`](Head::write) has written to `bytes`.
    pub fn read(bytes: &[u8]) -> Self {
        let (words, _) = bytes.as_chunks::<{ size_of::<Word>() }>();
        let mut numbers = words.iter().map(|word| u32::from_le_bytes(*word) as usize);
        let fields = numbers.next().filter(|&fields| fields > 0);
        let count = numbers.next().unwrap_or(0);
        let columns: Vec<usize> = numbers.by_ref().take(count).collect();
        let length = numbers.next().unwrap_or(0);
        let header = bytes.get(size_of::<Word>() * (3 + columns.len())..).unwrap_or_default();
        let header = header[..length.min(header.len())].to_vec();
        Head { fields, columns: (!columns.is_empty()).then_some(columns), header }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_comes_back_as_it_was_written() {
        let columns = Columns::parse("3,1").unwrap();
        for (fields, places, append, header) in [
            (None, None, false, &b""[..]),
            (Some(4), None, true, b""),
            (None, Some(vec![2, 0]), false, b""),
            (None, Some(vec![2, 0]), true, b"a,b,\"c\""),
            (Some(3), Some(vec![2, 0]), true, b""),
            (Some(3), None, false, b"a,b,c"),
        ] {
            let head = Head { fields, columns: places, header: header.to_vec() };
            let chosen = head.columns.as_ref().map(|_| &columns);
            let mut bytes = vec![0xff; Head::size(chosen, append, !header.is_empty())];
            head.write(&mut bytes);
            assert_eq!(Head::read(&bytes), head);
        }
    }
}
