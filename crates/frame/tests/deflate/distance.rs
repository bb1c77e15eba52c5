//! A slow reader of deflate data that measures how far back it refers (RFC 1951).

/// Largest distance of any reference in a stream of blocks that ends at a byte border.
pub(crate) fn largest(data: &[u8]) -> usize {
    let mut bits = Bits { data, at: 0 };
    let mut largest = 0;
    while bits.at + 10 <= data.len() * 8 {
        let last = bits.take(1);
        match bits.take(2) {
            0 => {
                bits.at = bits.at.div_ceil(8) * 8;
                let len = bits.take(16);
                assert_eq!(len ^ 0xffff, bits.take(16), "stored length");
                bits.at += 8 * len;
            }
            1 => {
                let mut lengths = vec![8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                largest = largest.max(block(&mut bits, &Code::new(&lengths), &Code::new(&[5; 30])));
            }
            2 => {
                let (literals, distances) = codes(&mut bits);
                largest = largest.max(block(&mut bits, &literals, &distances));
            }
            _ => panic!("block type 3"),
        }
        assert_eq!(last, 0, "no block of a message is the last of its stream");
    }
    largest
}

struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, n: usize) -> usize {
        let mut value = 0;
        for i in 0..n {
            value |= usize::from(self.data[self.at / 8] >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        value
    }
}

/// A canonical Huffman code: symbols ordered by code length, and how many there are of each length.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|s| lengths[*s] > 0).collect();
        symbols.sort_by_key(|s| lengths[*s]);
        symbols.iter().for_each(|s| counts[lengths[*s]] += 1);
        Self { counts, symbols }
    }

    fn read(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for length in 1..16 {
            code |= bits.take(1);
            let count = self.counts[length];
            if code < first + count {
                return self.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        panic!("no such code")
    }
}

/// The codes before a block of type 2.
fn codes(bits: &mut Bits<'_>) -> (Code, Code) {
    let (literals, distances, used) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let mut lengths = [0; 19];
    for at in [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15].into_iter().take(used) {
        lengths[at] = bits.take(3);
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (value, times) = match code.read(bits) {
            16 => (*lengths.last().unwrap(), 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(value, times));
    }
    (Code::new(&lengths[..literals]), Code::new(&lengths[literals..]))
}

/// Reads one block's symbols; the largest distance in it.
fn block(bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> usize {
    let mut largest = 0;
    loop {
        match literals.read(bits) {
            256 => return largest,
            symbol if symbol < 256 => {}
            symbol => {
                let extra = if (265..285).contains(&symbol) { (symbol - 261) / 4 } else { 0 };
                bits.take(extra);
                let symbol = distances.read(bits);
                let extra = if symbol < 4 { 0 } else { symbol / 2 - 1 };
                let base = if symbol < 4 { symbol } else { (2 + symbol % 2) << extra };
                largest = largest.max(base + 1 + bits.take(extra));
            }
        }
    }
}
