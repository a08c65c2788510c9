;; GHASH (NIST SP 800-38D section 6.4): y = (y + block) * h for each block, in GF(2^128).
;;
;; Integer multiplication is used to multiply without carries. Each factor is split into four, each with every fourth
;; bit of the factor. A column of a product is then at most 16, so carries stay in the gaps between the bits and are
;; masked (Thomas Pornin's method for BearSSL). No branch and no address depends on a secret.
;;
;; The first byte of a number is its highest byte, and bit 0 of the standard is the highest bit of the first byte.
;; Memory: h at 0, y at 16, blocks from 32.

;; Returns the low 64 bits of the product without carries.
(func $mul (param $x i64) (param $y i64) (result i64)
  (local $x0 i64) (local $x1 i64) (local $x2 i64) (local $x3 i64)
  (local $y0 i64) (local $y1 i64) (local $y2 i64) (local $y3 i64)
  (local.set $x0 (i64.and (local.get $x) (i64.const 0x1111111111111111)))
  (local.set $x1 (i64.and (local.get $x) (i64.const 0x2222222222222222)))
  (local.set $x2 (i64.and (local.get $x) (i64.const 0x4444444444444444)))
  (local.set $x3 (i64.and (local.get $x) (i64.const 0x8888888888888888)))
  (local.set $y0 (i64.and (local.get $y) (i64.const 0x1111111111111111)))
  (local.set $y1 (i64.and (local.get $y) (i64.const 0x2222222222222222)))
  (local.set $y2 (i64.and (local.get $y) (i64.const 0x4444444444444444)))
  (local.set $y3 (i64.and (local.get $y) (i64.const 0x8888888888888888)))
  (i64.or
    (i64.or
      (i64.and (i64.const 0x1111111111111111)
        (i64.xor (i64.xor (i64.mul (local.get $x0) (local.get $y0)) (i64.mul (local.get $x1) (local.get $y3)))
          (i64.xor (i64.mul (local.get $x2) (local.get $y2)) (i64.mul (local.get $x3) (local.get $y1)))))
      (i64.and (i64.const 0x2222222222222222)
        (i64.xor (i64.xor (i64.mul (local.get $x0) (local.get $y1)) (i64.mul (local.get $x1) (local.get $y0)))
          (i64.xor (i64.mul (local.get $x2) (local.get $y3)) (i64.mul (local.get $x3) (local.get $y2))))))
    (i64.or
      (i64.and (i64.const 0x4444444444444444)
        (i64.xor (i64.xor (i64.mul (local.get $x0) (local.get $y2)) (i64.mul (local.get $x1) (local.get $y1)))
          (i64.xor (i64.mul (local.get $x2) (local.get $y0)) (i64.mul (local.get $x3) (local.get $y3)))))
      (i64.and (i64.const 0x8888888888888888)
        (i64.xor (i64.xor (i64.mul (local.get $x0) (local.get $y3)) (i64.mul (local.get $x1) (local.get $y2)))
          (i64.xor (i64.mul (local.get $x2) (local.get $y1)) (i64.mul (local.get $x3) (local.get $y0))))))))

;; Swaps adjacent groups of $by bits. $mask selects the lower group of each pair.
(func $swap (param $x i64) (param $by i64) (param $mask i64) (result i64)
  (i64.or (i64.shl (i64.and (local.get $x) (local.get $mask)) (local.get $by))
    (i64.and (i64.shr_u (local.get $x) (local.get $by)) (local.get $mask))))

;; Reverses the order of the bytes.
(func $bytes (param $x i64) (result i64)
  (local.set $x (call $swap (local.get $x) (i64.const 8) (i64.const 0x00ff00ff00ff00ff)))
  (local.set $x (call $swap (local.get $x) (i64.const 16) (i64.const 0x0000ffff0000ffff)))
  (i64.rotl (local.get $x) (i64.const 32)))

;; Reverses the order of the bits.
(func $bits (param $x i64) (result i64)
  (local.set $x (call $swap (local.get $x) (i64.const 1) (i64.const 0x5555555555555555)))
  (local.set $x (call $swap (local.get $x) (i64.const 2) (i64.const 0x3333333333333333)))
  (local.set $x (call $swap (local.get $x) (i64.const 4) (i64.const 0x0f0f0f0f0f0f0f0f)))
  (call $bytes (local.get $x)))

;; Returns the bits that $x times x, x^2 and x^7 carry into the word below.
(func $below (param $x i64) (result i64)
  (i64.xor (i64.shl (local.get $x) (i64.const 63))
    (i64.xor (i64.shl (local.get $x) (i64.const 62)) (i64.shl (local.get $x) (i64.const 57)))))

;; Reduces $x within its own word.
(func $within (param $x i64) (result i64)
  (i64.xor (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 1)))
    (i64.xor (i64.shr_u (local.get $x) (i64.const 2)) (i64.shr_u (local.get $x) (i64.const 7)))))

;; Hashes the blocks of 16 bytes from 32 to $end.
(func (export "ghash") (param $end i32)
  (local $at i32)
  (local $h0 i64) (local $h1 i64) (local $h0r i64) (local $h1r i64)
  (local $y0 i64) (local $y1 i64) (local $y0r i64) (local $y1r i64)
  (local $low i64) (local $high i64) (local $mid i64)
  (local $lowr i64) (local $highr i64) (local $midr i64)
  (local $v0 i64) (local $v1 i64) (local $v2 i64) (local $v3 i64)
  (local.set $h1 (call $bytes (i64.load (i32.const 0))))
  (local.set $h0 (call $bytes (i64.load (i32.const 8))))
  (local.set $h1r (call $bits (local.get $h1)))
  (local.set $h0r (call $bits (local.get $h0)))
  (local.set $at (i32.const 32))
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $y1 (i64.xor (local.get $y1) (call $bytes (i64.load (local.get $at)))))
      (local.set $y0 (i64.xor (local.get $y0) (call $bytes (i64.load offset=8 (local.get $at)))))
      (local.set $y1r (call $bits (local.get $y1)))
      (local.set $y0r (call $bits (local.get $y0)))
      ;; Karatsuba: three products of 64 by 64 bits. The products of the reversed numbers yield the high halves.
      (local.set $low (call $mul (local.get $y0) (local.get $h0)))
      (local.set $high (call $mul (local.get $y1) (local.get $h1)))
      (local.set $mid (call $mul (i64.xor (local.get $y0) (local.get $y1)) (i64.xor (local.get $h0) (local.get $h1))))
      (local.set $mid (i64.xor (local.get $mid) (i64.xor (local.get $low) (local.get $high))))
      (local.set $lowr (call $mul (local.get $y0r) (local.get $h0r)))
      (local.set $highr (call $mul (local.get $y1r) (local.get $h1r)))
      (local.set $midr (call $mul (i64.xor (local.get $y0r) (local.get $y1r)) (i64.xor (local.get $h0r) (local.get $h1r))))
      (local.set $midr (i64.xor (local.get $midr) (i64.xor (local.get $lowr) (local.get $highr))))
      ;; 255 bits, the lowest word first
      (local.set $v0 (local.get $low))
      (local.set $v1 (i64.xor (i64.shr_u (call $bits (local.get $lowr)) (i64.const 1)) (local.get $mid)))
      (local.set $v2 (i64.xor (i64.shr_u (call $bits (local.get $midr)) (i64.const 1)) (local.get $high)))
      (local.set $v3 (i64.shr_u (call $bits (local.get $highr)) (i64.const 1)))
      ;; shift by one, because the standard counts bits from the top
      (local.set $v3 (i64.or (i64.shl (local.get $v3) (i64.const 1)) (i64.shr_u (local.get $v2) (i64.const 63))))
      (local.set $v2 (i64.or (i64.shl (local.get $v2) (i64.const 1)) (i64.shr_u (local.get $v1) (i64.const 63))))
      (local.set $v1 (i64.or (i64.shl (local.get $v1) (i64.const 1)) (i64.shr_u (local.get $v0) (i64.const 63))))
      (local.set $v0 (i64.shl (local.get $v0) (i64.const 1)))
      ;; modulo 1 + x + x^2 + x^7 + x^128, a word at a time
      (local.set $v2 (i64.xor (local.get $v2) (call $within (local.get $v0))))
      (local.set $v1 (i64.xor (local.get $v1) (call $below (local.get $v0))))
      (local.set $v3 (i64.xor (local.get $v3) (call $within (local.get $v1))))
      (local.set $v2 (i64.xor (local.get $v2) (call $below (local.get $v1))))
      (local.set $y0 (local.get $v2))
      (local.set $y1 (local.get $v3))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br $next)))
  (i64.store (i32.const 16) (call $bytes (local.get $y1)))
  (i64.store (i32.const 24) (call $bytes (local.get $y0))))
