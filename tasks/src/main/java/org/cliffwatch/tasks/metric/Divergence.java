package org.cliffwatch.tasks.metric;

import java.io.Serializable;

/**
 * How a model's next-token distributions differ from a baseline's over a continuation's tokens.
 *
 * @param kl Σ over the tokens of KL(baseline ‖ model), nats, at least 0
 * @param top1Agreed at how many of the tokens both find the same token most probable
 */
public record Divergence(double kl, int top1Agreed) implements Serializable {}
