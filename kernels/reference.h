#pragma once

// The operations as plain loops, in float64 where they sum: what each operation
// means. Slow; the fast versions are tested against these. Shapes and meaning
// are those of the fast version's header.
namespace apollo::reference {

// x [rows, inputs], w [outputs, inputs], bias [outputs] or null, out [rows,
// outputs]
void MatMul(const float* x, int rows, int inputs, const float* w, int outputs,
            const float* bias, float* out);

void RmsNorm(const float* x, int rows, int size, const float* weight, float eps,
             float* out);

void SiluMul(const float* gate_up, int rows, int size, float* out);

// One query row over contiguous keys and values, each [count, kv_heads *
// head_size]. q and out: [heads * head_size].
void Attention(const float* q, const float* keys, const float* values,
               int count, int heads, int kv_heads, int head_size, float* out);

}  // namespace apollo::reference
