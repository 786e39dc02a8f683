#pragma once

// Reference implementations of the operations: plain loops with float64 sums.
// They are slow; the fast versions are tested against them. Shapes and
// semantics are those of the fast version's header.
namespace apollo::reference {

// x [rows, inputs], w [outputs, inputs], bias [outputs] or null, out [rows,
// outputs]
void MatMul(const float* x, int rows, int inputs, const float* w, int outputs,
            const float* bias, float* out);

void RmsNorm(const float* x, int rows, int size, const float* weight, float eps,
             float* out);

void SiluMul(const float* gate_up, int rows, int size, float* out);

// Attention of one query row over contiguous keys and values, each [count,
// kv_heads * head_size]. q and out: [heads * head_size].
void Attention(const float* q, const float* keys, const float* values,
               int count, int heads, int kv_heads, int head_size, float* out);

}  // namespace apollo::reference
