// The vocabulary projection's products, reduced a block of tokens at a time.

// Rounded to the compute type: ordinals of FloatType.java.
__device__ __forceinline__ float rounded_to(float x, int type) {
  return type == 0 ? x : type == 1 ? widen(narrow<bf16>(x)) : widen(narrow<f16>(x));
}

// A logit of the compute type: LogitTransform.java, step by step.
__device__ __forceinline__ float logit_of(float product, const float* bias, int token, int type, float factor,
                                          float softCap) {
  float logit = rounded_to(bias == nullptr ? product : product + bias[token], type);
  if (factor != 1.0f) logit = rounded_to(logit * factor, type);
  if (softCap == 0.0f) return logit;
  if (!finite(logit)) return not_a_number();
  float inner = rounded_to(logit / softCap, type);
  return rounded_to(rounded_to(tanhf(inner), type) * softCap, type);
}

// The running log-sum-exp of a row's logits over blocks of the vocabulary in ascending order: the largest
// logit so far, the sum of e^(logit - largest), and the lowest token of the largest. The first block
// begins it. A logit that is not finite makes the sum NaN for good. Grid: rows.
LAUNCHED log_sum_exp(const float* products, int productsStride, int tokens, int firstToken, const float* bias, int type,
                     float factor, float softCap, const int* firstTarget, const int* targets, float* max, double* sum, int* best,
                     float* targetLogits) {
  __shared__ float partial[WARPS];
  __shared__ unsigned ordered[WARPS];
  int row = blockIdx.x;
  const float* from = products + (long long)row * productsStride;
  unsigned magnitude = 0;
  // Negative floats descend with their bits: mapped so that an unsigned maximum is the largest.
  unsigned largest = 0;
  for (int i = threadIdx.x; i < tokens; i += THREADS) {
    float logit = logit_of(from[i], bias, firstToken + i, type, factor, softCap);
    unsigned bits = __float_as_uint(logit);
    magnitude = (bits & MAGNITUDE) > magnitude ? bits & MAGNITUDE : magnitude;
    unsigned key = bits >> 31 ? ~bits : bits | ~MAGNITUDE;
    largest = key > largest ? key : largest;
  }
  bool isFinite = block_max(magnitude, ordered) < INFINITE;
  largest = block_max(largest, ordered);
  float blockMax = __uint_as_float(largest >> 31 ? largest & MAGNITUDE : ~largest);
  float part = 0;
  int first = tokens;
  for (int i = threadIdx.x; i < tokens; i += THREADS) {
    float logit = logit_of(from[i], bias, firstToken + i, type, factor, softCap);
    part += expf(logit - blockMax);
    if (logit == blockMax && first == tokens) first = i;
  }
  float blockSum = block_sum(part, partial);
  int lowest = tokens - (int)block_max((unsigned)(tokens - first), ordered);
  for (int i = firstTarget[row] + threadIdx.x; i < firstTarget[row + 1]; i += THREADS) {
    int within = targets[i] - firstToken;
    if (within >= 0 && within < tokens) {
      targetLogits[i] = logit_of(from[within], bias, targets[i], type, factor, softCap);
    }
  }
  if (threadIdx.x != 0) return;
  bool begins = firstToken == 0;
  double before = begins ? 0.0 : sum[row];
  float maxBefore = begins ? -__uint_as_float(INFINITE) : max[row];
  if (!isFinite) {
    sum[row] = (double)not_a_number();
    if (begins) {
      max[row] = 0.0f;
      best[row] = 0;
    }
  } else if (blockMax > maxBefore) {
    best[row] = firstToken + lowest;
    sum[row] = (begins ? 0.0 : before * exp((double)maxBefore - (double)blockMax)) + (double)blockSum;
    max[row] = blockMax;
  } else {
    sum[row] = before + (double)blockSum * exp((double)blockMax - (double)maxBefore);
  }
}

// Logits of all tokens: logits (rows, logitsStride). Grid: rows, columns of the block.
LAUNCHED finish_logits(const float* products, int productsStride, int tokens, int firstToken, const float* bias, int type,
                       float factor, float softCap, float* logits, int logitsStride) {
  const float* from = products + (long long)blockIdx.x * productsStride;
  float* to = logits + (long long)blockIdx.x * logitsStride + firstToken;
  int first = blockIdx.y * COLUMNS;
  for (int i = first + threadIdx.x; i < tokens && i < first + COLUMNS; i += THREADS) {
    to[i] = logit_of(from[i], bias, firstToken + i, type, factor, softCap);
  }
}
