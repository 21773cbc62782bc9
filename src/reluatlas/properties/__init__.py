"""The room of one question: does a property hold on boxes of inputs, for certain?"""
